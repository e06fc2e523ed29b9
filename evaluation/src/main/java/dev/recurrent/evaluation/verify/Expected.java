package dev.recurrent.evaluation.verify;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.ParameterStore;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Torch;
import dev.recurrent.zoo.checkpoint.Checkpoint;
import dev.recurrent.zoo.checkpoint.CheckpointException;
import dev.recurrent.zoo.checkpoint.CheckpointSaveException;
import dev.recurrent.zoo.checkpoint.CheckpointWriter;
import dev.recurrent.zoo.checkpoint.TensorInfo;
import dev.recurrent.zoo.checkpoint.TensorSlices;
import dev.recurrent.zoo.generation.Session;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Random;

/**
 * What another implementation computed: the tensors of an {@code expected.safetensors}.
 *
 * @param ids {@code input_ids}, B rows of T
 * @param logits of one full forward pass in fp32, [B, T, vocabulary]
 * @param greedy the greedy continuation of row 0
 */
public record Expected(long[][] ids, NDArray logits, long[] greedy) {

    /** The file's name in a model's folder. */
    public static final String FILE = "expected.safetensors";

    private static final int ROWS = 2;
    private static final int TOKENS = 48;
    private static final int GREEDY = 12;

    /**
     * Reads a file.
     *
     * @param manager owner of the logits
     * @param file a safetensors file
     * @return its tensors
     * @throws CheckpointException if it is malformed, or lacks a tensor or has one of a wrong shape
     * @throws IOException if it cannot be read
     */
    public static Expected read(NDManager manager, Path file)
            throws IOException, CheckpointException {
        try (Checkpoint checkpoint = Checkpoint.open(file)) {
            NDArray ids = read(checkpoint, "input_ids", manager, ScalarType.INT64, 2); // [B, T]
            NDArray greedy = read(checkpoint, "greedy", manager, ScalarType.INT64, 2); // [1, n]
            NDArray logits = read(checkpoint, "logits", manager, ScalarType.FLOAT32, 3);
            if (!logits.getShape().slice(0, 2).equals(ids.getShape())) {
                throw new CheckpointException(
                        file,
                        "logits",
                        "its shape "
                                + logits.getShape()
                                + " must begin with that of input_ids, "
                                + ids.getShape());
            }
            return new Expected(rows(ids), logits, greedy.toLongArray());
        }
    }

    /**
     * Computes what this implementation makes of a model, for others to compare themselves with.
     *
     * @param model the model
     * @param manager owner of the logits, on the model's device
     * @param seed determines the ids, 2 rows of 48
     * @return ids, logits and 12 greedy tokens
     */
    public static Expected compute(LanguageModel model, NDManager manager, long seed) {
        long vocabulary = model.config().vocabulary();
        Random random = new Random(seed);
        long[][] ids = new long[ROWS][];
        for (int row = 0; row < ROWS; row++) {
            ids[row] = random.longs(TOKENS, 0, vocabulary).toArray();
        }
        long[] greedy = new long[GREEDY];
        try (Session session = new Session(model, manager)) {
            long[] next = ids[0];
            for (int i = 0; i < GREEDY; i++) {
                greedy[i] = session.feed(next).argMax(1).getLong();
                next = new long[] {greedy[i]};
            }
        }
        ParameterStore store = new ParameterStore(manager, false);
        try (Session session = new Session(model, store, manager, ROWS)) {
            NDArray logits = session.feedAll(ids).duplicate();
            logits.attach(manager);
            return new Expected(ids, logits, greedy);
        }
    }

    /**
     * Writes the file.
     *
     * @param folder the model's folder
     * @throws CheckpointSaveException if it cannot be written
     */
    public void write(Path folder) throws CheckpointSaveException {
        try (NDManager manager = logits.getManager().newSubManager()) {
            Map<String, TensorSlices> tensors =
                    Map.of(
                            "input_ids", TensorSlices.of(manager.create(ids)),
                            "logits", TensorSlices.of(logits),
                            "greedy", TensorSlices.of(manager.create(new long[][] {greedy})));
            new CheckpointWriter(ScalarType.FLOAT32).writeFile(folder.resolve(FILE), tensors);
        }
    }

    private static NDArray read(
            Checkpoint checkpoint, String name, NDManager manager, ScalarType type, int dimensions)
            throws IOException, CheckpointException {
        TensorInfo info = checkpoint.tensor(name);
        Shape shape = info.shape();
        if (shape.dimension() != dimensions || shape.size() == 0) {
            throw new CheckpointException(
                    info.file(),
                    name,
                    "its shape is " + shape + "; " + dimensions + " dimensions >= 1 are needed");
        }
        NDArray tensor = Torch.empty(manager, shape, type, manager.getDevice());
        checkpoint.read(name, tensor);
        return tensor;
    }

    private static long[][] rows(NDArray ids) {
        long[] values = ids.toLongArray();
        int length = Math.toIntExact(ids.getShape().get(1));
        long[][] rows = new long[values.length / length][];
        for (int row = 0; row < rows.length; row++) {
            rows[row] = Arrays.copyOfRange(values, row * length, (row + 1) * length);
        }
        return rows;
    }
}
