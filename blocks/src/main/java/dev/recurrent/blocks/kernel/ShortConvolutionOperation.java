package dev.recurrent.blocks.kernel;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.autograd.Operation;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.torch.Aten;
import dev.recurrent.blocks.torch.TensorScope;
import java.util.ArrayList;
import java.util.List;

/**
 * The causal depthwise convolution over a few tokens, with its activation and what becomes of heads
 * ({@code short_convolution.cu}): x is read once, and once more on the way back, which computes the
 * convolution again.
 *
 * <p>Inputs are x [B, T, C], which may be a part of a wider tensor; weights [C, 1, W]; the bias [C]
 * or null; and the last inputs of before [B, W−1, C] or null for zeros. bfloat16 and float32 are
 * read as they are, other types are converted. Outputs, of the type that x is read as, are the
 * values [B, T, C], unspecified at padding, or with heads queries [B, T, H, K], keys [B, T, H, K]
 * and values [B, T, HV, V]; and last the new inputs of before [B, W−1, C].
 */
public final class ShortConvolutionOperation implements Operation {

    private final CudaDevice device;
    private final boolean silu;
    private final ConvolutionHeads heads;
    private final NDArray positions;
    private final NDArray lengths;
    private NDArray x;
    private NDArray weight;
    private NDArray bias;
    private NDArray state;

    /**
     * Constructs the operation. Shapes are the caller's to check.
     *
     * @param device where the tensors lie
     * @param silu whether SiLU follows
     * @param heads how the channels are made up of queries and keys, which are divided by their
     *     length, and values; null where they are not
     * @param positions int64 [B, T]; null if no document starts where a token of before could be
     *     seen and there is no padding
     * @param lengths how many tokens of each row are not padding, int64 [B]; null with positions
     * @throws IllegalArgumentException if heads are larger than {@link ConvolutionHeads#fits}
     */
    public ShortConvolutionOperation(
            CudaDevice device,
            boolean silu,
            ConvolutionHeads heads,
            NDArray positions,
            NDArray lengths) {
        if (heads != null && !heads.fits()) {
            throw new IllegalArgumentException("No kernel takes heads of " + heads.keyDim());
        }
        this.device = device;
        this.silu = silu;
        this.heads = heads;
        this.positions = positions;
        this.lengths = lengths;
    }

    @Override
    public NDArray[] forward(NDArray... inputs) {
        x = inputs[0];
        weight = inputs[1];
        bias = inputs[2];
        state = inputs[3];
        Operand.requireSameDevice(x, weight, bias, state, positions, lengths);
        try (TensorScope scope = new TensorScope()) {
            ShortConvolutionLaunch launch = launch();
            NDArray[] results = results(launch);
            NDArray newState = launch.allocate(stateShape());
            launch.forward(slices(launch, results), results, newState);
            NDArray[] outputs = new NDArray[results.length + 1];
            for (int i = 0; i < results.length; i++) {
                outputs[i] = scope.pass(results[i]);
            }
            outputs[results.length] = scope.pass(newState);
            return outputs;
        }
    }

    @Override
    public NDArray[] backward(NDArray[] gradients, boolean[] wanted) {
        try (TensorScope scope = new TensorScope()) {
            NDManager manager = x.getManager();
            ShortConvolutionLaunch launch = launch();
            Shape[] shapes = resultShapes();
            NDArray[] dresults = new NDArray[shapes.length];
            for (int i = 0; i < shapes.length; i++) {
                dresults[i] = launch.gradient(gradients[i], shapes[i]);
            }
            NDArray dnewState =
                    gradients[shapes.length] == null
                            ? null
                            : launch.gradient(gradients[shapes.length], stateShape());
            NDArray dx = launch.allocate(x.getShape());
            NDArray dstate = state != null && wanted[3] ? launch.allocate(stateShape()) : null;
            NDArray sums =
                    launch.backward(slices(launch, dresults), dresults, dnewState, dx, dstate);
            long channels = x.getShape().get(2);
            NDArray dweight = Aten.narrow(manager, sums, 0, 0, weight.size());
            NDArray dbias = Aten.narrow(manager, sums, 0, weight.size(), channels);
            return new NDArray[] {
                scope.pass(dx),
                scope.pass(dweight.reshape(weight.getShape())),
                bias == null ? null : scope.pass(dbias),
                dstate == null ? null : scope.pass(dstate)
            };
        }
    }

    private ShortConvolutionLaunch launch() {
        return new ShortConvolutionLaunch(device, silu, x, weight, bias, state, positions, lengths);
    }

    private List<ConvolutionSlice> slices(ShortConvolutionLaunch launch, NDArray... results) {
        List<ConvolutionSlice> slices = new ArrayList<>();
        long stride = launch.stride();
        NDArray input = launch.input();
        if (heads == null) {
            long channels = x.getShape().get(2);
            slices.add(ConvolutionSlice.plain(0, channels, stride, input, results[0]));
        } else {
            slices.add(ConvolutionSlice.heads(heads, stride, input, results[0], results[1]));
            long first = 2 * heads.heads() * heads.keyDim();
            long span = heads.valueHeads() * heads.valueDim();
            slices.add(ConvolutionSlice.plain(first, span, stride, input, results[2]));
        }
        return slices;
    }

    private NDArray[] results(ShortConvolutionLaunch launch) {
        Shape[] shapes = resultShapes();
        NDArray[] results = new NDArray[shapes.length];
        for (int i = 0; i < shapes.length; i++) {
            results[i] = launch.allocate(shapes[i]);
        }
        return results;
    }

    private Shape[] resultShapes() {
        Shape shape = x.getShape();
        if (heads == null) {
            return new Shape[] {shape};
        }
        Shape rows = shape.slice(0, 2);
        Shape keys = rows.add(heads.heads()).add(heads.keyDim());
        return new Shape[] {keys, keys, rows.add(heads.valueHeads()).add(heads.valueDim())};
    }

    private Shape stateShape() {
        Shape shape = x.getShape();
        return new Shape(shape.get(0), weight.getShape().get(2) - 1, shape.get(2));
    }

    @Override
    public void close() {
        // Keeps its inputs only.
    }
}
