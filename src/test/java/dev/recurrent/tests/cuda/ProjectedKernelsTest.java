package dev.recurrent.tests.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.autograd.Operation;
import dev.recurrent.blocks.autograd.Tape;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.Kernels;
import dev.recurrent.blocks.kernel.GatedProductOperation;
import dev.recurrent.blocks.kernel.GatedProductOperation.Function;
import dev.recurrent.blocks.kernel.RmsNormOperation;
import dev.recurrent.blocks.kernel.RmsNormOperation.Form;
import dev.recurrent.blocks.kernel.RmsNormSettings;
import dev.recurrent.blocks.rule.LinearMap;
import dev.recurrent.blocks.rule.ProjectedOperation;
import dev.recurrent.blocks.torch.MatrixPrecision;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.tests.support.Gradients;
import dev.recurrent.tests.support.Tensors;
import java.util.Arrays;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Projections of what kernels compute again, against those of what autograd has kept. */
@Tag("cuda")
class ProjectedKernelsTest {

    private static final long OUT = 37;

    /** Sums of some hundred products in fp32, in other orders. */
    private static final double TOLERANCE = 1e-5;

    /** A few roundings to bf16's eight bits, where products sum in another order. */
    private static final double NARROW_TOLERANCE = 1e-2;

    private CudaCase test;
    private CudaDevice device;

    @BeforeEach
    void open() {
        test = new CudaCase();
        device = Kernels.on(Device.gpu()).orElseThrow();
    }

    @AfterEach
    void close() {
        if (test != null) {
            test.close();
        }
    }

    /** Widths that packs divide and that they do not. */
    @Test
    void gatedProducts() {
        for (long width : new long[] {33, 64, 2056}) {
            for (Function function : Function.values()) {
                Shape shape = new Shape(3, 7, width);
                for (MatrixPrecision precision : precisions()) {
                    check(
                            function + " " + width + " " + precision,
                            () -> new GatedProductOperation(device, function),
                            precision,
                            shape,
                            test.normal(type(precision), 1, shape.getShape()),
                            test.normal(type(precision), 2, shape.getShape()));
                }
            }
        }
    }

    /** Norms per head, read as one row, and of whole rows. */
    @Test
    void gatedNorms() {
        for (Form form : new Form[] {Form.NORM_THEN_GATE, Form.GATE_THEN_NORM}) {
            for (Shape shape : new Shape[] {new Shape(3, 7, 5, 20), new Shape(3, 7, 1, 260)}) {
                for (MatrixPrecision precision : precisions()) {
                    ScalarType type = type(precision);
                    RmsNormSettings settings = new RmsNormSettings(1, false, 1e-5, type);
                    check(
                            form + " " + shape + " " + precision,
                            () -> new RmsNormOperation(device, form, settings),
                            precision,
                            new Shape(3, 7, shape.get(2) * shape.get(3)),
                            test.normal(type, 1, shape.getShape()),
                            test.normal(ScalarType.FLOAT32, 2, shape.get(3)),
                            test.normal(type, 3, shape.getShape()));
                }
            }
        }
    }

    private static MatrixPrecision[] precisions() {
        return new MatrixPrecision[] {MatrixPrecision.FULL, MatrixPrecision.BFLOAT16};
    }

    private static ScalarType type(MatrixPrecision precision) {
        return precision == MatrixPrecision.BFLOAT16 ? ScalarType.BFLOAT16 : ScalarType.FLOAT32;
    }

    private void check(
            String what,
            Supplier<Operation> operations,
            MatrixPrecision precision,
            Shape read,
            NDArray... given) {
        long width = read.get(2);
        NDArray[] inputs = new NDArray[given.length + 2];
        inputs[0] = test.normal(ScalarType.FLOAT32, 4, OUT, width);
        inputs[1] = test.normal(ScalarType.FLOAT32, 5, OUT);
        System.arraycopy(given, 0, inputs, 2, given.length);
        NDArray[] weights = {test.normal(ScalarType.FLOAT32, 6, read.get(0), read.get(1), OUT)};
        UnaryOperator<NDArray[]> kept =
                x -> {
                    NDArray[] others = Arrays.copyOfRange(x, 2, x.length);
                    NDArray h = Tape.apply(operations.get(), others)[0].reshape(read);
                    return new NDArray[] {precision.during(() -> LinearMap.apply(h, x[0], x[1]))};
                };
        UnaryOperator<NDArray[]> again =
                x ->
                        precision.during(
                                () ->
                                        Tape.apply(
                                                new ProjectedOperation(
                                                        operations, read, type(precision)),
                                                x));
        Gradients expected = Gradients.taped(kept, weights, inputs);
        test.poison(read.size(), read.size() / 2, OUT * width);
        Gradients actual = Gradients.taped(again, weights, inputs);
        Gradients repeated = Gradients.taped(again, weights, inputs);
        assertThat(actual.outputs()[0].toFloatArray())
                .as(what)
                .isEqualTo(expected.outputs()[0].toFloatArray());
        double tolerance = precision == MatrixPrecision.FULL ? TOLERANCE : NARROW_TOLERANCE;
        for (int i = 0; i < inputs.length; i++) {
            String name = what + " gradient " + i;
            Tensors.assertClose(name, actual.inputs()[i], expected.inputs()[i], tolerance);
            assertThat(repeated.inputs()[i].toFloatArray())
                    .as(name)
                    .isEqualTo(actual.inputs()[i].toFloatArray());
        }
    }
}
