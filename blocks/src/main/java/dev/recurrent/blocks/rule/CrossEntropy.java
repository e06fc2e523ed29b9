package dev.recurrent.blocks.rule;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.autograd.Tape;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.Kernels;
import dev.recurrent.blocks.kernel.CrossEntropyOperation;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Torch;
import java.util.Optional;

/**
 * The cross-entropy of rows of logits over a vocabulary, −log softmax(logits)[label] in nats,
 * computed in float32 whatever the logits' type. On CUDA, {@link CrossEntropyOperation} needs no
 * float32 tensor of the logits' size; elsewhere autograd keeps one.
 */
public final class CrossEntropy {

    /** The value of torch.nn.functional's reduction that keeps rows apart. */
    private static final int NONE = 0;

    private CrossEntropy() {}

    /**
     * What rows cost.
     *
     * @param losses float32 [N], 0 for ignored rows
     * @param logSumExp log Σ exp(logits), float32 [N], 0 for ignored rows
     */
    public record Output(NDArray losses, NDArray logSumExp) {}

    /**
     * Computes losses and normalisers.
     *
     * @param logits [N, V]
     * @param labels int64 [N], each in [0, V) or ignored; values are the caller's to check
     * @param ignored the label of rows that do not count
     * @return both, in the logits' manager; where a loss is infinite its normaliser is unspecified
     * @throws IllegalArgumentException if the shapes do not fit together
     */
    public static Output apply(NDArray logits, NDArray labels, long ignored) {
        check(logits, labels);
        Optional<CudaDevice> device = Kernels.taking(logits);
        if (device.isPresent()) {
            NDArray[] results = fused(device.get(), logits, labels, ignored);
            return new Output(results[0], results[1]);
        }
        NDArray wide = Torch.cast(logits, ScalarType.FLOAT32);
        NDArray losses = portable(wide, labels, ignored);
        // gather(Tensor self, int dim, Tensor index, *, bool sparse_grad)
        NDArray index = labels.maximum(0).expandDims(1); // [N, 1]
        NDArray chosen = Torch.call(logits.getManager(), "aten::gather", wide, 1, index, false);
        NDArray counted = Torch.cast(labels.neq(ignored), ScalarType.FLOAT32);
        return new Output(losses, chosen.squeeze(1).add(losses).mul(counted));
    }

    /**
     * Computes losses alone.
     *
     * @param logits [N, V]
     * @param labels as in {@link #apply}
     * @param ignored the label of rows that do not count
     * @return float32 [N], 0 for ignored rows, in the logits' manager
     * @throws IllegalArgumentException if the shapes do not fit together
     */
    public static NDArray losses(NDArray logits, NDArray labels, long ignored) {
        check(logits, labels);
        Optional<CudaDevice> device = Kernels.taking(logits);
        if (device.isPresent()) {
            NDArray[] results = fused(device.get(), logits, labels, ignored);
            results[1].close();
            return results[0];
        }
        return portable(Torch.cast(logits, ScalarType.FLOAT32), labels, ignored);
    }

    private static NDArray[] fused(
            CudaDevice device, NDArray logits, NDArray labels, long ignored) {
        return Tape.apply(new CrossEntropyOperation(device, ignored), logits, labels);
    }

    private static NDArray portable(NDArray wide, NDArray labels, long ignored) {
        // cross_entropy_loss(Tensor self, Tensor target, Tensor? weight, int reduction,
        //     SymInt ignore_index, float label_smoothing)
        return Torch.call(
                wide.getManager(),
                "aten::cross_entropy_loss",
                wide,
                labels,
                null,
                NONE,
                ignored,
                0.0);
    }

    private static void check(NDArray logits, NDArray labels) {
        Shape shape = logits.getShape();
        if (shape.dimension() != 2
                || Torch.typeOf(labels) != ScalarType.INT64
                || !labels.getShape().equals(shape.slice(0, 1))) {
            throw new IllegalArgumentException(
                    "Logits "
                            + shape
                            + " need int64 labels, one a row, not "
                            + Torch.typeOf(labels)
                            + labels.getShape());
        }
    }
}
