package dev.recurrent.training.checkpoint;

import ai.djl.MalformedModelException;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Torch;
import dev.recurrent.zoo.checkpoint.Checkpoint;
import dev.recurrent.zoo.checkpoint.CheckpointException;
import dev.recurrent.zoo.checkpoint.CheckpointSaveException;
import dev.recurrent.zoo.checkpoint.CheckpointWriter;
import dev.recurrent.zoo.checkpoint.TensorInfo;
import dev.recurrent.zoo.checkpoint.TensorSlices;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * An optimizer's tensors in a checkpoint, in fp32: what is read is what was written, bit by bit.
 */
public final class OptimizerFile {

    private static final String FILE = "optimizer.safetensors";

    private OptimizerFile() {}

    /**
     * Writes tensors.
     *
     * @param folder the checkpoint
     * @param tensors float32, by name
     * @throws CheckpointSaveException if it cannot be written
     * @throws IllegalArgumentException if a tensor is of another type
     */
    public static void write(Path folder, Map<String, NDArray> tensors)
            throws CheckpointSaveException {
        Map<String, TensorSlices> slices = new LinkedHashMap<>();
        tensors.forEach(
                (name, tensor) -> {
                    if (Torch.typeOf(tensor) != ScalarType.FLOAT32) {
                        throw new IllegalArgumentException(
                                name + " must be FLOAT32, not " + Torch.typeOf(tensor));
                    }
                    slices.put(name, TensorSlices.of(tensor));
                });
        new CheckpointWriter(ScalarType.FLOAT32).writeFile(folder.resolve(FILE), slices);
    }

    /**
     * Reads tensors into those there are, all or none.
     *
     * @param folder the checkpoint
     * @param manager on the tensors' device, for copies that are closed again
     * @param tensors float32, what is overwritten, by name
     * @throws CheckpointException if names, shapes or types differ; all differences are named, and
     *     nothing is overwritten
     * @throws IOException if the file cannot be read
     */
    public static void read(Path folder, NDManager manager, Map<String, NDArray> tensors)
            throws IOException, MalformedModelException {
        try (Checkpoint file = Checkpoint.open(folder.resolve(FILE));
                NDManager staging = manager.newSubManager()) {
            compare(file, tensors);
            Map<String, NDArray> values = new LinkedHashMap<>();
            for (String name : tensors.keySet()) {
                values.put(name, file.load(staging, name));
            }
            values.forEach((name, value) -> Torch.copyInto(tensors.get(name), value));
        }
    }

    private static void compare(Checkpoint file, Map<String, NDArray> tensors)
            throws CheckpointException {
        Set<String> missing = new TreeSet<>(tensors.keySet());
        missing.removeAll(file.tensors().keySet());
        Set<String> unexpected = new TreeSet<>(file.tensors().keySet());
        unexpected.removeAll(tensors.keySet());
        List<String> others = new ArrayList<>();
        for (TensorInfo found : file.tensors().values()) {
            NDArray wanted = tensors.get(found.name());
            if (wanted != null
                    && (found.type() != ScalarType.FLOAT32
                            || !found.shape().equals(wanted.getShape()))) {
                others.add(
                        found.name()
                                + " is "
                                + found.type()
                                + found.shape()
                                + ", not FLOAT32"
                                + wanted.getShape());
            }
        }
        if (!missing.isEmpty() || !unexpected.isEmpty() || !others.isEmpty()) {
            throw new CheckpointException(
                    file.path(),
                    null,
                    "this is the optimizer of another model or other settings: missing "
                            + missing
                            + ", unexpected "
                            + unexpected
                            + ", wrong "
                            + others);
        }
    }
}
