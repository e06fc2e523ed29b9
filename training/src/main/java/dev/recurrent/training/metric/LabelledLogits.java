package dev.recurrent.training.metric;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.TensorScope;
import dev.recurrent.blocks.torch.Torch;
import java.util.Arrays;
import java.util.Set;

/**
 * Logits and their labels, checked to belong together, one row a token.
 *
 * <p>The labels are read on the host. A kernel that meets a label outside the vocabulary would take
 * the whole CUDA context down, and an error can name the place. They are few: labels on a device
 * cost one copy of 8 bytes a token, labels on the host nothing.
 *
 * @param logits [N, vocabulary], in the type they came in
 * @param labels int64 [N], where the logits are
 * @param ids the labels on the host
 * @param count how many of them count
 */
record LabelledLogits(NDArray logits, NDArray labels, long[] ids, long count)
        implements AutoCloseable {

    private static final Set<ScalarType> FLOATING =
            Set.of(ScalarType.FLOAT16, ScalarType.BFLOAT16, ScalarType.FLOAT32, ScalarType.FLOAT64);

    /**
     * Checks what an evaluator was given.
     *
     * @param labels [int64 [...]]
     * @param predictions [logits [..., vocabulary]]
     * @return both, flattened, to be closed: views in the managers of the given
     * @throws IllegalArgumentException if types or shapes do not fit, or a label is neither in the
     *     vocabulary nor {@link Labels#IGNORED}
     */
    static LabelledLogits of(NDList labels, NDList predictions) {
        if (labels.isEmpty() || predictions.isEmpty()) {
            throw new IllegalArgumentException(
                    "Labels and logits are needed, not lists of "
                            + labels.size()
                            + " and "
                            + predictions.size());
        }
        NDArray label = labels.head();
        NDArray logits = predictions.head();
        checkTypes(label, logits);
        checkShapes(label.getShape(), logits.getShape());
        long vocabulary = logits.getShape().get(logits.getShape().dimension() - 1);
        long[] ids = label.toLongArray();
        checkIds(ids, label.getShape(), vocabulary);
        try (TensorScope scope = new TensorScope()) {
            NDArray placed = label.toDevice(logits.getDevice(), false);
            return new LabelledLogits(
                    scope.keep(logits.reshape(ids.length, vocabulary)), // [N, vocabulary]
                    scope.keep(placed.reshape(ids.length)), // [N]
                    ids,
                    Labels.count(ids));
        }
    }

    /**
     * Returns the exception for a mean over nothing.
     *
     * @param labels how many labels there are, all ignored
     */
    static IllegalArgumentException nothingCounts(long labels) {
        return new IllegalArgumentException(
                "None of the batch's "
                        + labels
                        + " labels counts (all are "
                        + Labels.IGNORED
                        + "), so it has no mean: leave such batches out");
    }

    private static void checkTypes(NDArray labels, NDArray logits) {
        if (labels.getDataType() != DataType.INT64) {
            throw new IllegalArgumentException("Labels must be int64 ids, not " + describe(labels));
        }
        if (!FLOATING.contains(Torch.typeOf(logits))) {
            throw new IllegalArgumentException(
                    "Logits must be of a floating type, not " + describe(logits));
        }
    }

    private static void checkShapes(Shape labels, Shape logits) {
        int last = logits.dimension() - 1;
        if (last < 0 || !logits.slice(0, last).equals(labels) || logits.get(last) < 1) {
            throw new IllegalArgumentException(
                    "Labels "
                            + labels
                            + " do not fit logits "
                            + logits
                            + ": labels [B, T] need logits [B, T, vocabulary]");
        }
    }

    private static void checkIds(long[] ids, Shape shape, long vocabulary) {
        for (int i = 0; i < ids.length; i++) {
            if (ids[i] != Labels.IGNORED && (ids[i] < 0 || ids[i] >= vocabulary)) {
                throw new IllegalArgumentException(
                        "Label "
                                + ids[i]
                                + " at "
                                + Arrays.toString(place(i, shape))
                                + " is neither in the vocabulary [0, "
                                + vocabulary
                                + ") nor "
                                + Labels.IGNORED
                                + " (ignored)");
            }
        }
    }

    /** The index along each axis of element i, row by row. */
    private static long[] place(long i, Shape shape) {
        long[] place = new long[shape.dimension()];
        for (int axis = place.length - 1; axis >= 0; axis--) {
            place[axis] = i % shape.get(axis);
            i /= shape.get(axis);
        }
        return place;
    }

    private static String describe(NDArray array) {
        return Torch.typeOf(array) + array.getShape().toString();
    }

    @Override
    public void close() {
        logits.close();
        labels.close();
    }
}
