package dev.recurrent.blocks.rule;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.autograd.Tape;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.Kernels;
import dev.recurrent.blocks.kernel.ConvolutionHeads;
import dev.recurrent.blocks.kernel.ShortConvolutionOperation;
import dev.recurrent.blocks.torch.Aten;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Torch;
import java.util.Optional;

/**
 * The depthwise causal convolution over a few tokens that recurrent mixers put before their
 * recurrence: y_t = b + Σ_j w_{W−1−j} · x_{t−j}, each channel on its own (arXiv 2402.19427, section
 * 2.4; {@code fla.modules.ShortConvolution}, {@code causal_conv1d}).
 *
 * <p>On CUDA tensors {@link ShortConvolutionOperation} does it in one pass over memory, SiLU
 * included, and its gradients in another.
 */
public final class ShortConvolution {

    private ShortConvolution() {}

    /**
     * What the convolution returns.
     *
     * @param values [B, T, C]
     * @param state the last W−1 inputs of each row's document, oldest first, zero where the
     *     document had not begun, [B, W−1, C]
     */
    public record Output(NDArray values, NDArray state) {}

    /**
     * Key of the mask of tokens that have at least {@code steps} tokens of their document before.
     */
    private record HasBefore(int steps) {}

    /** Key of the index of the last inputs of each row. */
    private record LastInputs(int count) {}

    /** Key of the mask of the last inputs that belong to the row's last document. */
    private record InLastDocument(int count) {}

    /**
     * Convolves along time. A token sees only tokens of its own document.
     *
     * @param x [B, T, C]
     * @param weight [C, 1, W], the current token's tap last
     * @param bias [C]; null for none
     * @param state of the tokens before, as returned by an earlier call; null for none
     * @param positions [B, T], compact
     * @return the values, unspecified at padding, and the new state, of x's type and in its manager
     * @throws IllegalArgumentException if the shapes do not fit together
     */
    public static Output apply(
            NDArray x, NDArray weight, NDArray bias, NDArray state, Positions positions) {
        return apply(x, weight, bias, state, positions, false);
    }

    /**
     * As {@link #apply(NDArray, NDArray, NDArray, NDArray, Positions)}, through SiLU if wanted.
     *
     * @param silu whether y·σ(y) is returned in y's place
     */
    public static Output apply(
            NDArray x,
            NDArray weight,
            NDArray bias,
            NDArray state,
            Positions positions,
            boolean silu) {
        check(x, weight, bias, state, positions);
        NDArray before = positions.startsFresh() ? null : state;
        Optional<CudaDevice> device = Kernels.taking(x, weight, bias, before);
        if (device.isPresent()) {
            NDArray[] outputs =
                    Tape.apply(
                            operation(device.get(), silu, null, positions),
                            x,
                            weight,
                            bias,
                            before);
            ScalarType type = Torch.typeOf(x);
            return new Output(Torch.cast(outputs[0], type), Torch.cast(outputs[1], type));
        }
        Output output = portable(x, weight, bias, before, positions);
        return silu ? new Output(Aten.silu(output.values()), output.state()) : output;
    }

    /**
     * Convolves as {@link #apply(NDArray, NDArray, NDArray, NDArray, Positions, boolean)} does from
     * a state that is no longer needed: one token of every row, where nothing is recorded and there
     * is a kernel, writes the new state over it.
     *
     * @param x [B, T, C]
     * @param weight [C, 1, W]
     * @param bias [C]; null for none
     * @param state of the tokens before [B, W−1, C], consumed; null for none
     * @param positions [B, T], compact
     * @param silu whether y·σ(y) is returned in y's place
     * @return the values [B, T, C] and the new state, which may be {@code state} itself
     * @throws IllegalArgumentException if the shapes do not fit together
     */
    public static Output update(
            NDArray x,
            NDArray weight,
            NDArray bias,
            NDArray state,
            Positions positions,
            boolean silu) {
        check(x, weight, bias, state, positions);
        return ConvolutionStep.fits(x, weight, bias, state, positions)
                ? ConvolutionStep.apply(x, weight, bias, state, positions, silu)
                : apply(x, weight, bias, state, positions, silu);
    }

    /** The kernels' form, of all inputs but the tensors that are convolved. */
    static ShortConvolutionOperation operation(
            CudaDevice device, boolean silu, ConvolutionHeads heads, Positions positions) {
        boolean plain = positions.isPlain();
        return new ShortConvolutionOperation(
                device,
                silu,
                heads,
                plain ? null : positions.array(),
                plain ? null : positions.realLengths());
    }

    private static Output portable(
            NDArray x, NDArray weight, NDArray bias, NDArray before, Positions positions) {
        NDManager manager = x.getManager();
        ScalarType type = Torch.typeOf(x);
        NDArray w = Torch.cast(manager, weight, type);
        NDArray b = bias == null ? null : Torch.cast(manager, bias, type);
        NDArray first = before == null ? null : Torch.cast(manager, before, type);
        if (!positions.isPlain()) {
            return masked(x, w, b, first, positions);
        }
        long length = x.getShape().get(1);
        int memory = taps(weight) - 1;
        if (length == 1) {
            return step(join(first, x, memory), w, b);
        }
        if (first == null && length >= memory) {
            NDArray padded = convolve(x, w, b, memory); // [B, T + W − 1, C]
            return new Output(TimeAxis.narrow(padded, 0, length), copyOfLast(x, memory));
        }
        NDArray inputs = join(first, x, memory); // [B, W − 1 + T, C]
        return new Output(convolve(inputs, w, b, 0), copyOfLast(inputs, memory));
    }

    /** One token: a product and a sum over the taps. */
    private static Output step(NDArray inputs, NDArray weight, NDArray bias) {
        NDArray products = inputs.mul(tapsFirst(inputs.getManager(), weight)); // [B, W, C]
        NDArray sum = products.sum(new int[] {1}, true); // [B, 1, C]
        NDArray values = bias == null ? sum : sum.add(bias);
        return new Output(values, TimeAxis.narrow(inputs, 1, taps(weight) - 1));
    }

    /**
     * The convolution without regard to documents.
     *
     * <p>In two dimensions, the first of size 1, PyTorch takes the tensor as it lies, channels
     * last; in one dimension it transposes it, which costs several times the convolution.
     */
    private static NDArray convolve(NDArray inputs, NDArray weight, NDArray bias, int padding) {
        NDManager manager = inputs.getManager();
        NDArray image = inputs.expandDims(1).transpose(0, 3, 1, 2); // [B, C, 1, T]
        NDArray kernel = Torch.call(manager, "aten::unsqueeze", weight, 2); // [C, 1, 1, W]
        NDArray values =
                image.getNDArrayInternal()
                        .convolution(
                                image,
                                kernel,
                                bias,
                                new Shape(1, 1),
                                new Shape(0, padding),
                                new Shape(1, 1),
                                Math.toIntExact(inputs.getShape().get(2)))
                        .singletonOrThrow(); // [B, C, 1, T']
        return values.transpose(0, 2, 3, 1).squeeze(1); // [B, T', C]
    }

    /** A shifted product a tap, each masked where it would cross a document's start. */
    private static Output masked(
            NDArray x, NDArray weight, NDArray bias, NDArray before, Positions positions) {
        long length = x.getShape().get(1);
        int memory = taps(weight) - 1;
        NDArray inputs = join(before, x, memory); // [B, W − 1 + T, C]
        NDList taps = tapsFirst(x.getManager(), weight).split(memory + 1, 0); // W of [1, C]
        NDArray values = x.mul(taps.get(memory)); // [B, T, C]
        for (int steps = 1; steps <= memory; steps++) {
            NDArray shifted = TimeAxis.narrow(inputs, memory - steps, length);
            values.addi(shifted.mul(taps.get(memory - steps)).mul(hasBefore(positions, steps)));
        }
        if (bias != null) {
            values.addi(bias);
        }
        return new Output(values, lastOfDocument(inputs, memory, positions));
    }

    /** True where the token {@code steps} before is of the same document, bool [B, T, 1]. */
    private static NDArray hasBefore(Positions positions, int steps) {
        return positions.derive(
                new HasBefore(steps), () -> positions.array().gte(steps).expandDims(2));
    }

    private static NDArray lastOfDocument(NDArray inputs, int count, Positions positions) {
        Shape shape = inputs.getShape();
        NDArray index =
                positions.derive(
                        new LastInputs(count),
                        () -> {
                            NDArray slots = slots(positions, count); // [1, W − 1]
                            return positions.realLengths().expandDims(1).add(slots).expandDims(2);
                        }); // [B, W − 1, 1]
        NDArray keep =
                positions.derive(new InLastDocument(count), () -> inLastDocument(positions, count));
        NDArray last = inputs.gather(index.broadcast(shape.get(0), count, shape.get(2)), 1);
        return last.mul(keep); // [B, W − 1, C]
    }

    /**
     * Slot i holds the token W − 2 − i before the row's last one, so it is of the same document if
     * the last position is not less. A row of padding alone keeps all.
     */
    private static NDArray inLastDocument(Positions positions, int count) {
        NDArray end = positions.realLengths().sub(1).maximum(0).expandDims(1); // [B, 1]
        NDArray last = positions.array().gather(end, 1); // [B, 1]
        NDArray age = slots(positions, count).neg().add(count - 1); // [1, W − 1]
        return last.gte(age).logicalOr(last.lt(0)).expandDims(2); // [B, W − 1, 1]
    }

    private static NDArray slots(Positions positions, int count) {
        NDManager manager = positions.manager();
        long[] slots = new long[count];
        for (int i = 0; i < count; i++) {
            slots[i] = i;
        }
        return manager.create(slots, new Shape(1, count));
    }

    private static NDArray join(NDArray before, NDArray x, int memory) {
        NDManager manager = x.getManager();
        NDArray first = before;
        if (first == null) {
            Shape shape = new Shape(x.getShape().get(0), memory, x.getShape().get(2));
            NDArray zeros = manager.zeros(shape, DataType.FLOAT32, x.getDevice());
            first = Torch.cast(zeros, Torch.typeOf(x));
        }
        NDArray joined = first.concat(x, 1); // [B, W − 1 + T, C]
        joined.attach(manager);
        return joined;
    }

    /** A copy, since a view would keep all of {@code inputs} alive with the state. */
    private static NDArray copyOfLast(NDArray inputs, int count) {
        NDArray last = TimeAxis.narrow(inputs, inputs.getShape().get(1) - count, count);
        // clone(Tensor self, *, MemoryFormat? memory_format)
        return Torch.call(inputs.getManager(), "aten::clone", last, null);
    }

    /** The weight as [W, C], in {@code manager}: the weight's own lives as long as the model. */
    private static NDArray tapsFirst(NDManager manager, NDArray weight) {
        NDArray flat = Torch.call(manager, "aten::squeeze.dim", weight, 1); // [C, W]
        return flat.transpose();
    }

    private static int taps(NDArray weight) {
        return Math.toIntExact(weight.getShape().get(2));
    }

    static void check(NDArray x, NDArray weight, NDArray bias, NDArray state, Positions positions) {
        Shape input = x.getShape();
        if (input.dimension() != 3
                || input.get(0) != positions.batch()
                || input.get(1) != positions.length()) {
            throw new IllegalArgumentException(
                    "x "
                            + input
                            + " must be [B, T, C] with the positions' B = "
                            + positions.batch()
                            + ", T = "
                            + positions.length());
        }
        if (!positions.isCompact()) {
            throw new IllegalArgumentException("Padding must stand at the ends of rows");
        }
        long channels = input.get(2);
        Shape kernel = weight.getShape();
        if (kernel.dimension() != 3 || kernel.get(0) != channels || kernel.get(1) != 1) {
            throw new IllegalArgumentException(
                    "weight " + kernel + " must be [C, 1, W] with C = " + channels);
        }
        if (bias != null && !bias.getShape().equals(new Shape(channels))) {
            throw new IllegalArgumentException(
                    "bias " + bias.getShape() + " must be [C] with C = " + channels);
        }
        Shape memory = new Shape(input.get(0), kernel.get(2) - 1, channels);
        if (state != null && !state.getShape().equals(memory)) {
            throw new IllegalArgumentException(
                    "state " + state.getShape() + " must be [B, W − 1, C] = " + memory);
        }
    }
}
