package dev.recurrent.training.lora;

import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.nn.Projection;
import dev.recurrent.zoo.naming.NameMap;
import dev.recurrent.zoo.naming.UpstreamTensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * An upstream linear module that PEFT adapts: a projection of ours, or some of its rows.
 *
 * @param name its path upstream
 * @param projection our projection's path
 * @param firstRow where its rows start in the projection's weight
 * @param rows how many it has
 * @param inputs in
 */
record PeftModule(String name, String projection, long firstRow, long rows, long inputs) {

    private static final String PREFIX = "base_model.model.";
    private static final String WEIGHT = ".weight";

    /** Returns the modules that projections are upstream, in the order of the names. */
    static List<PeftModule> of(NameMap names, Map<String, Projection> projections) {
        List<PeftModule> modules = new ArrayList<>();
        for (UpstreamTensor tensor : names.written()) {
            UpstreamTensor.Part part = tensor.parts().get(0);
            if (!part.parameter().endsWith(WEIGHT)) {
                continue;
            }
            String path = cut(part.parameter());
            Projection projection = projections.get(path);
            if (projection != null) {
                Shape weight = projection.weight().getShape(); // [out, in]
                modules.add(
                        new PeftModule(
                                cut(tensor.name()),
                                path,
                                part.firstRow(),
                                part.rows(weight),
                                weight.get(1)));
            }
        }
        return modules;
    }

    private static String cut(String weight) {
        return weight.substring(0, weight.length() - WEIGHT.length());
    }

    /** Returns the name of A [r, in] in a file. */
    String a() {
        return PREFIX + name + ".lora_A.weight";
    }

    /** Returns the name of B [rows, r] in a file. */
    String b() {
        return PREFIX + name + ".lora_B.weight";
    }
}
