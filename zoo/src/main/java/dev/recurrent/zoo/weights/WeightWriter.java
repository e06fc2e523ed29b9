package dev.recurrent.zoo.weights;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.blocks.nn.SizedBlock;
import dev.recurrent.blocks.torch.Aten;
import dev.recurrent.blocks.torch.Torch;
import dev.recurrent.zoo.checkpoint.CheckpointSaveException;
import dev.recurrent.zoo.checkpoint.CheckpointWriter;
import dev.recurrent.zoo.checkpoint.TensorSlices;
import dev.recurrent.zoo.naming.NameMap;
import dev.recurrent.zoo.naming.UpstreamTensor;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Writes a model's parameters under their upstream names. */
public final class WeightWriter {

    private final Map<String, NDArray> values = new LinkedHashMap<>();
    private final Map<String, Shape> shapes = new LinkedHashMap<>();
    private final NameMap names;

    /**
     * Constructs a writer.
     *
     * @param model an initialised model
     * @param names what its weights are called in a checkpoint
     */
    public WeightWriter(LanguageModel model, NameMap names) {
        this.names = names;
        SizedBlock.parametersOf(model).forEach(this::add);
    }

    private void add(String name, Parameter parameter) {
        values.put(name, parameter.getArray());
        shapes.put(name, parameter.getShape());
    }

    /**
     * Saves the weights, in one file or in shards. Earlier weights in the folder are replaced once
     * the new ones are complete.
     *
     * @param folder the model's folder, created if need be
     * @param writer how they are written
     * @throws CheckpointSaveException if it fails; earlier weights are kept then
     */
    public void write(Path folder, CheckpointWriter writer) throws CheckpointSaveException {
        NDManager owner = values.values().iterator().next().getManager();
        try (NDManager views = owner.newSubManager()) {
            Map<String, TensorSlices> tensors = new LinkedHashMap<>();
            for (UpstreamTensor tensor : names.written()) {
                List<NDArray> parts =
                        tensor.parts().stream().map(part -> rows(views, part)).toList();
                tensors.put(tensor.name(), new TensorSlices(tensor.shape(shapes), parts));
            }
            writer.write(folder, tensors);
        }
    }

    private NDArray rows(NDManager views, UpstreamTensor.Part part) {
        NDArray value = Torch.detach(views, values.get(part.parameter()));
        long rows = part.rows(value.getShape());
        return Aten.narrow(views, value, 0, part.firstRow(), rows);
    }
}
