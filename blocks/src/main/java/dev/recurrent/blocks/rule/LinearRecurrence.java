package dev.recurrent.blocks.rule;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.autograd.Tape;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.Kernels;
import dev.recurrent.blocks.kernel.LinearRecurrenceOperation;
import dev.recurrent.blocks.torch.Aten;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.TensorScope;
import dev.recurrent.blocks.torch.Torch;
import java.util.Optional;

/**
 * The diagonal linear recurrence h_t = a_t · h_{t−1} + x_t of every channel on its own (arXiv
 * 2402.19427, equation 4), in fp32.
 *
 * <p>On CUDA tensors {@link LinearRecurrenceOperation} does it in one pass over memory, and its
 * gradients in another. Elsewhere time is cut into blocks of {@value #RADIX}. All blocks walk their
 * steps at once, first without knowing what enters them: what leaves a block is then its own
 * contribution plus the product of its decays times what entered, a recurrence over blocks that is
 * solved the same way. With the entering values known, all blocks walk again. There is no division
 * and no logarithm, so any decay, 0 included, is exact.
 */
public final class LinearRecurrence {

    private static final int RADIX = 16;

    private LinearRecurrence() {}

    /**
     * What the recurrence returns.
     *
     * @param values h, float32 [B, T, E]
     * @param state h at each row's last real token, float32 [B, E]
     */
    public record Output(NDArray values, NDArray state) {}

    /**
     * Runs the recurrence. At a document's first token the decay counts as 0.
     *
     * @param x [B, T, E]
     * @param decay a [B, T, E]
     * @param state what the tokens before left [B, E]; null for zero
     * @param positions [B, T], compact
     * @return the values, unspecified at padding, and the new state, in x's manager
     * @throws IllegalArgumentException if the shapes do not fit together
     */
    public static Output apply(NDArray x, NDArray decay, NDArray state, Positions positions) {
        check(x, decay, state, positions);
        // A single step is two operators, which start no slower than the kernel.
        Optional<CudaDevice> device =
                positions.length() > 1 ? Kernels.taking(x, decay, state) : Optional.empty();
        return device.isPresent()
                ? fused(device.get(), x, decay, state, positions)
                : portable(x, decay, state, positions);
    }

    private static Output fused(
            CudaDevice device, NDArray x, NDArray decay, NDArray state, Positions positions) {
        NDArray marks = positions.isPlain() ? null : positions.array();
        NDArray entering = positions.startsFresh() ? null : state;
        NDArray[] outputs =
                Tape.apply(new LinearRecurrenceOperation(device, marks), x, decay, entering);
        return new Output(outputs[0], outputs[1]);
    }

    private static Output portable(NDArray x, NDArray decay, NDArray state, Positions positions) {
        NDArray input = Torch.cast(x, ScalarType.FLOAT32);
        NDArray factor = Torch.cast(decay, ScalarType.FLOAT32);
        NDArray entering = positions.startsFresh() || state == null ? null : column(x, state);
        if (positions.hasResets()) {
            factor = factor.mul(continues(positions));
        }
        if (positions.isPadded()) {
            NDArray real = real(positions);
            NDArray padding = positions.derive(Key.PADDING, () -> real.neg().add(1)); // [B, T, 1]
            input = input.mul(real);
            factor = factor.mul(real).add(padding);
        }
        NDArray values = scan(input, factor, entering); // [B, T, E]
        return new Output(values, last(values));
    }

    private enum Key {
        CONTINUES,
        REAL,
        PADDING
    }

    private static NDArray continues(Positions positions) {
        return positions.derive(Key.CONTINUES, () -> positions.continues().expandDims(2));
    }

    private static NDArray real(Positions positions) {
        return positions.derive(Key.REAL, () -> positions.real().expandDims(2));
    }

    /** The state as [B, 1, E], in x's manager. */
    private static NDArray column(NDArray x, NDArray state) {
        NDArray wide = Torch.cast(state, ScalarType.FLOAT32);
        return Torch.call(x.getManager(), "aten::unsqueeze", wide, 1);
    }

    /** A copy, since a view would keep all values alive with the state. */
    private static NDArray last(NDArray values) {
        NDManager manager = values.getManager();
        long length = values.getShape().get(1);
        // select.int(Tensor self, int dim, SymInt index), clone(Tensor self, *, MemoryFormat?)
        NDArray last = Torch.call(manager, "aten::select.int", values, 1, length - 1); // [B, E]
        return length == 1 ? last : Torch.call(manager, "aten::clone", last, null);
    }

    /**
     * The recurrence over blocks.
     *
     * @param x [B, T, E]
     * @param decay [B, T, E]
     * @param entering [B, 1, E] or null for zero
     * @return [B, T, E]
     */
    private static NDArray scan(NDArray x, NDArray decay, NDArray entering) {
        Shape shape = x.getShape();
        long length = shape.get(1);
        if (length == 1) {
            return entering == null ? x : entering.mul(decay).addi(x);
        }
        if (length <= RADIX) {
            return walk(x.split(length, 1), decay.split(length, 1), entering, 1);
        }
        try (TensorScope scope = new TensorScope()) {
            long blocks = (length + RADIX - 1) / RADIX;
            Shape blocked = new Shape(shape.get(0), blocks, RADIX, shape.get(2));
            // A step of decay 1 and input 0 changes nothing.
            NDList xs =
                    pad(x, blocks, false).reshape(blocked).split(RADIX, 2); // RADIX of [B, N, 1, E]
            NDList decays = pad(decay, blocks, true).reshape(blocked).split(RADIX, 2);
            NDArray carry = carry(xs, decays, entering).expandDims(2); // [B, N, 1, E]
            NDArray values = walk(xs, decays, carry, 2).reshape(padded(shape, blocks));
            if (length % RADIX != 0) {
                values = Aten.narrow(values, 1, 0, length);
            }
            return scope.pass(values); // [B, T, E]
        }
    }

    /** What enters every block, [B, N, E]. */
    private static NDArray carry(NDList xs, NDList decays, NDArray entering) {
        NDArray own = xs.get(0);
        NDArray product = decays.get(0);
        for (int step = 1; step < RADIX; step++) {
            NDArray decay = decays.get(step);
            own = own.mul(decay).addi(xs.get(step)); // [B, N, 1, E]
            product = product.mul(decay);
        }
        NDArray leaving = scan(own.squeeze(2), product.squeeze(2), entering); // [B, N, E]
        Shape shape = leaving.getShape();
        NDManager manager = leaving.getManager();
        NDArray first = entering;
        if (first == null) {
            Shape one = new Shape(shape.get(0), 1, shape.get(2));
            first = manager.zeros(one, DataType.FLOAT32, leaving.getDevice());
        }
        NDArray earlier = Aten.narrow(leaving, 1, 0, shape.get(1) - 1);
        return first.concat(earlier, 1);
    }

    /** Step by step along an axis that the lists are split over. */
    private static NDArray walk(NDList xs, NDList decays, NDArray entering, int axis) {
        NDList values = new NDList(xs.size());
        NDArray h = entering;
        for (int step = 0; step < xs.size(); step++) {
            NDArray x = xs.get(step);
            h = h == null ? x : h.mul(decays.get(step)).addi(x);
            values.add(h);
        }
        return NDArrays.concat(values, axis);
    }

    /** Fills the last block with ones or zeros. */
    private static NDArray pad(NDArray array, long blocks, boolean ones) {
        Shape shape = array.getShape();
        long missing = blocks * RADIX - shape.get(1);
        if (missing == 0) {
            return array;
        }
        NDManager manager = array.getManager();
        Shape tail = new Shape(shape.get(0), missing, shape.get(2));
        NDArray filler =
                ones
                        ? manager.ones(tail, DataType.FLOAT32, array.getDevice())
                        : manager.zeros(tail, DataType.FLOAT32, array.getDevice());
        return array.concat(filler, 1);
    }

    private static Shape padded(Shape shape, long blocks) {
        return new Shape(shape.get(0), blocks * RADIX, shape.get(2));
    }

    private static void check(NDArray x, NDArray decay, NDArray state, Positions positions) {
        Shape shape = x.getShape();
        if (shape.dimension() != 3
                || shape.get(0) != positions.batch()
                || shape.get(1) != positions.length()) {
            throw new IllegalArgumentException(
                    "x "
                            + shape
                            + " must be [B, T, E] with the positions' B = "
                            + positions.batch()
                            + ", T = "
                            + positions.length());
        }
        if (!positions.isCompact()) {
            throw new IllegalArgumentException("Padding must stand at the ends of rows");
        }
        if (!decay.getShape().equals(shape)) {
            throw new IllegalArgumentException(
                    "decay " + decay.getShape() + " must be of x's shape " + shape);
        }
        Shape memory = new Shape(shape.get(0), shape.get(2));
        if (state != null && !state.getShape().equals(memory)) {
            throw new IllegalArgumentException(
                    "state " + state.getShape() + " must be [B, E] = " + memory);
        }
    }
}
