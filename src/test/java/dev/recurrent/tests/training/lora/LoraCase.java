package dev.recurrent.tests.training.lora;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.blocks.nn.SizedBlock;
import dev.recurrent.blocks.rule.Positions;
import dev.recurrent.tests.support.Conformance;
import dev.recurrent.tests.support.Tensors;
import dev.recurrent.training.lora.LoraAdapters;
import dev.recurrent.zoo.Pretrained;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.LongStream;

/** Models to adapt, and what to look at. */
final class LoraCase {

    /** Fused and plain projections, biases, a tied and an untied head, every mixer. */
    static final List<String> MODELS =
            List.of("delta_net_swa", "gated_deltanet", "mamba2", "recurrent_gemma_griffin");

    private static final long TOKENS = 7;

    private LoraCase() {}

    static Pretrained open(String model) throws Exception {
        return Pretrained.load(folder(model), Device.cpu());
    }

    static Path folder(String model) {
        return Conformance.path(model);
    }

    /** Logits [2, 7, vocabulary] of fixed ids, on the host. */
    static float[] logits(LanguageModel model) {
        try (NDManager pass = NDManager.newBaseManager(Device.cpu(), "PyTorch")) {
            return logits(pass, model).toFloatArray();
        }
    }

    static NDArray logits(NDManager pass, LanguageModel model) {
        long[] ids = LongStream.range(0, 2 * TOKENS).map(i -> (37 * i + 5) % 101).toArray();
        return model.forward(
                        new ParameterStore(pass, false),
                        pass.create(ids, new Shape(2, TOKENS)),
                        Positions.range(pass, 2, TOKENS, 0),
                        null,
                        false)
                .values();
    }

    /** Gives every B values as of some training. */
    static void train(LoraAdapters adapters) {
        int seed = 0;
        for (Map.Entry<String, Parameter> entry : adapters.parameters().entrySet()) {
            if (entry.getKey().endsWith(".B")) {
                NDArray b = entry.getValue().getArray();
                try (NDManager scratch = b.getManager().newSubManager()) {
                    Tensors.normal(scratch, seed++, b.getShape().getShape()).mul(0.1).copyTo(b);
                }
            }
        }
    }

    /** All values by path. */
    static Map<String, float[]> values(LanguageModel model) {
        Map<String, float[]> values = new LinkedHashMap<>();
        SizedBlock.parametersOf(model)
                .forEach((path, p) -> values.put(path, p.getArray().toFloatArray()));
        return values;
    }
}
