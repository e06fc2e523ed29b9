package dev.recurrent.tests.rule;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.autograd.Operation;
import dev.recurrent.blocks.autograd.Tape;
import dev.recurrent.blocks.rule.LinearMap;
import dev.recurrent.blocks.rule.ProjectedOperation;
import dev.recurrent.blocks.torch.MatrixPrecision;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Torch;
import dev.recurrent.tests.support.Gradients;
import dev.recurrent.tests.support.Tensors;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Projections of what is computed again, against autograd of the composition. */
class ProjectedOperationTest {

    /** Rounding of sums of some twenty products in fp32. */
    private static final double TOLERANCE = 1e-5;

    /** Gradients are rounded to bf16's eight bits on both ways, at other places. */
    private static final double NARROW_TOLERANCE = 1e-2;

    private static final Shape GIVEN = new Shape(2, 5, 3, 4);
    private static final Shape READ = new Shape(2, 5, 12);
    private static final long OUT = 7;

    private NDManager manager;
    private final List<Product> products = new ArrayList<>();

    /** sin(a)·b. */
    private static final class Product implements Operation {

        private NDArray a;
        private NDArray b;
        private int forwards;
        private int backwards;
        private int closed;

        @Override
        public NDArray[] forward(NDArray... inputs) {
            forwards++;
            a = inputs[0];
            b = inputs[1];
            return new NDArray[] {a.sin().mul(b)};
        }

        @Override
        public NDArray[] backward(NDArray[] gradients, boolean[] wanted) {
            assertThat(gradients[0].getShape()).isEqualTo(a.getShape());
            assertThat(Torch.typeOf(gradients[0])).isEqualTo(Torch.typeOf(a));
            backwards++;
            return new NDArray[] {
                wanted[0] ? gradients[0].mul(b).mul(a.cos()) : null,
                wanted[1] ? gradients[0].mul(a.sin()) : null
            };
        }

        @Override
        public void close() {
            closed++;
        }
    }

    @BeforeEach
    void open() {
        manager = NDManager.newBaseManager();
    }

    @AfterEach
    void close() {
        manager.close();
    }

    private NDArray given(int seed) {
        return Tensors.normal(manager, seed, GIVEN.getShape());
    }

    private NDArray weight() {
        return Tensors.normal(manager, 3, OUT, READ.get(2));
    }

    private NDArray bias() {
        return Tensors.normal(manager, 4, OUT);
    }

    private NDArray dy() {
        return Tensors.normal(manager, 5, 2, 5, OUT);
    }

    private Product product() {
        Product product = new Product();
        products.add(product);
        return product;
    }

    private NDArray projected(ScalarType read, NDArray a, NDArray b, NDArray w, NDArray bias) {
        Operation operation = new ProjectedOperation(this::product, READ, read);
        return Tape.apply(operation, w, bias, a, b)[0];
    }

    private static NDArray composed(
            ScalarType read, NDArray a, NDArray b, NDArray w, NDArray bias) {
        return LinearMap.apply(Torch.cast(a.sin().mul(b).reshape(READ), read), w, bias);
    }

    private void compare(Gradients actual, Gradients expected, double tolerance) {
        Tensors.assertClose("y", actual.outputs()[0], expected.outputs()[0], tolerance);
        for (int i = 0; i < expected.inputs().length; i++) {
            Tensors.assertClose(
                    "gradient " + i, actual.inputs()[i], expected.inputs()[i], tolerance);
        }
    }

    /** The type of h, and what it is read as. */
    @ParameterizedTest
    @CsvSource({
        "FULL, FLOAT32, FLOAT32",
        "BFLOAT16, FLOAT32, FLOAT32",
        "BFLOAT16, BFLOAT16, BFLOAT16",
        "BFLOAT16, FLOAT32, BFLOAT16",
        "FLOAT16, FLOAT32, FLOAT32"
    })
    void gradientsAreThoseOfTheComposition(
            MatrixPrecision precision, ScalarType type, ScalarType read) {
        NDArray[] inputs = {
            Torch.cast(given(1), type), Torch.cast(given(2), type), weight(), bias()
        };
        NDArray[] weights = {dy()};
        // The tape's backward runs outside of the precision.
        UnaryOperator<NDArray[]> operation =
                x -> precision.during(() -> all(projected(read, x[0], x[1], x[2], x[3])));
        Gradients expected =
                Gradients.recorded(
                        x -> precision.during(() -> all(composed(read, x[0], x[1], x[2], x[3]))),
                        weights,
                        inputs);
        Gradients actual = Gradients.taped(operation, weights, inputs);
        boolean exact = precision == MatrixPrecision.FULL;
        compare(actual, expected, exact ? TOLERANCE : NARROW_TOLERANCE);

        Gradients again = Gradients.taped(operation, weights, inputs);
        for (int i = 0; i < inputs.length; i++) {
            assertThat(again.inputs()[i].toFloatArray())
                    .isEqualTo(actual.inputs()[i].toFloatArray());
        }
    }

    private static NDArray[] all(NDArray... outputs) {
        return outputs;
    }

    @Test
    void aFrozenWeightIsNotDifferentiated() {
        NDArray w = weight();
        Gradients expected =
                Gradients.recorded(
                        x -> all(composed(ScalarType.FLOAT32, x[0], x[1], w, null)),
                        all(dy()),
                        given(1),
                        given(2));
        Gradients actual =
                Gradients.taped(
                        x -> all(projected(ScalarType.FLOAT32, x[0], x[1], w, null)),
                        all(dy()),
                        given(1),
                        given(2));
        compare(actual, expected, TOLERANCE);
        assertThat(products).hasSize(1);
        assertThat(products.get(0).closed).isEqualTo(1);
    }

    @Test
    void inputsWithoutGradientAreNotDifferentiated() {
        NDArray a = given(1);
        NDArray b = given(2);
        Gradients expected =
                Gradients.recorded(
                        x -> all(composed(ScalarType.FLOAT32, a, b, x[0], x[1])),
                        all(dy()),
                        weight(),
                        bias());
        Gradients actual =
                Gradients.taped(
                        x -> all(projected(ScalarType.FLOAT32, a, b, x[0], x[1])),
                        all(dy()),
                        weight(),
                        bias());
        compare(actual, expected, TOLERANCE);
        assertThat(products).extracting(product -> product.forwards).containsExactly(1, 1);
        assertThat(products).extracting(product -> product.backwards).containsOnly(0);
        assertThat(products).extracting(product -> product.closed).containsOnly(1);
    }

    @Test
    void withinARecomputedSegmentGradientsAreTheSame() {
        NDArray[] inputs = {given(1), weight(), bias()};
        Gradients kept = Gradients.taped(x -> all(segment(x[0], x[1], x[2])), all(dy()), inputs);
        Gradients recomputed =
                Gradients.taped(
                        x ->
                                all(
                                        Tape.recompute(
                                                x[0],
                                                (input, again) -> segment(input, x[1], x[2]))),
                        all(dy()),
                        inputs);
        for (int i = 0; i < inputs.length; i++) {
            assertThat(recomputed.inputs()[i].toFloatArray())
                    .isEqualTo(kept.inputs()[i].toFloatArray());
        }
        assertThat(products).extracting(product -> product.closed).containsOnly(1);
    }

    private NDArray segment(NDArray x, NDArray w, NDArray bias) {
        NDArray shared = Tape.join(x);
        return projected(ScalarType.FLOAT32, shared.mul(2), shared.tanh(), w, bias);
    }
}
