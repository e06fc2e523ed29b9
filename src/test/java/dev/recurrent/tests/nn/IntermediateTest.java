package dev.recurrent.tests.nn;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.GradientCollector;
import ai.djl.training.ParameterStore;
import ai.djl.training.initializer.Initializer;
import ai.djl.training.initializer.NormalInitializer;
import dev.recurrent.blocks.autograd.Operation;
import dev.recurrent.blocks.autograd.Tape;
import dev.recurrent.blocks.nn.Intermediate;
import dev.recurrent.blocks.nn.LowRankAdapter;
import dev.recurrent.blocks.nn.Projection;
import dev.recurrent.blocks.torch.GradientMode;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.tests.support.Tensors;
import java.util.Optional;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Which way a projection goes that may compute what it reads again, and that all lead alike. */
class IntermediateTest {

    private static final Initializer DRAWN = new NormalInitializer(0.5f);

    /** Rounding of sums of a few products in fp32. */
    private static final double TOLERANCE = 1e-5;

    private NDManager manager;
    private Projection projection;
    private int forwards;

    /** −x. */
    private final class Negation implements Operation {

        @Override
        public NDArray[] forward(NDArray... inputs) {
            forwards++;
            return new NDArray[] {inputs[0].neg()};
        }

        @Override
        public NDArray[] backward(NDArray[] gradients, boolean[] wanted) {
            return new NDArray[] {gradients[0].neg()};
        }

        @Override
        public void close() {
            // Keeps nothing.
        }
    }

    @BeforeEach
    void open() {
        manager = NDManager.newBaseManager(Device.cpu());
        projection = new Projection(8, 3, true, DRAWN);
        projection.initialize(manager, DataType.FLOAT32);
        parameters().forEach(parameter -> parameter.getArray().setRequiresGradient(true));
    }

    private Iterable<Parameter> parameters() {
        return projection.getDirectParameters().values();
    }

    @AfterEach
    void close() {
        manager.close();
    }

    private NDArray drawn() {
        NDArray x = Tensors.normal(manager, 1, 5, 2, 4);
        x.setRequiresGradient(true);
        return x;
    }

    /** y [5, 3] of −x [5, 2, 4], read as [5, 8]. */
    private NDArray project(NDArray x, boolean operation) {
        Optional<Supplier<Operation>> operations =
                operation ? Optional.of(Negation::new) : Optional.empty();
        Intermediate negative =
                new Intermediate(operations, x::neg, x.getShape(), ScalarType.FLOAT32, x)
                        .reshape(new Shape(5, 8));
        return projection.forward(new ParameterStore(manager, false), negative, true);
    }

    /** dx, dW and db of Σ y². */
    private NDArray[] gradients(boolean operation) {
        return GradientMode.on(
                () -> {
                    try (GradientCollector collector = Engine.getInstance().newGradientCollector();
                            Tape tape = Tape.open(false)) {
                        collector.zeroGradients();
                        NDArray x = drawn();
                        NDArray y = project(x, operation);
                        NDArray loss = y.mul(y).sum();
                        tape.backward(loss, loss.onesLike());
                        return new NDArray[] {
                            x.getGradient().duplicate(),
                            projection.weight().getArray().getGradient().duplicate(),
                            projection
                                    .getDirectParameters()
                                    .get("bias")
                                    .getArray()
                                    .getGradient()
                                    .duplicate()
                        };
                    }
                });
    }

    private void assertOperationAgrees(int runs) {
        NDArray[] expected = gradients(false);
        assertThat(forwards).isZero();
        NDArray[] actual = gradients(true);
        assertThat(forwards).isEqualTo(runs);
        for (int i = 0; i < expected.length; i++) {
            Tensors.assertClose("gradient " + i, actual[i], expected[i], TOLERANCE);
        }
    }

    @Test
    void itIsComputedAgainInTheBackwardPass() {
        assertOperationAgrees(2);
    }

    @Test
    void itIsKeptForAnAdapter() {
        LowRankAdapter adapter = new LowRankAdapter(8, 3, 2, 1, DRAWN);
        adapter.initialize(manager, DataType.FLOAT32);
        projection.attach(adapter);
        assertOperationAgrees(1);
    }

    @Test
    void itIsComputedOnceWhereNothingIsRecorded() {
        NDArray x = Tensors.normal(manager, 1, 5, 2, 4);
        NDArray expected = GradientMode.off(() -> project(x, false));
        NDArray actual = GradientMode.off(() -> project(x, true));
        assertThat(forwards).isEqualTo(1);
        assertThat(actual.toFloatArray()).isEqualTo(expected.toFloatArray());
    }

    /** A stock trainer, where only the projection trains. */
    @Test
    void withoutATapeAutogradKeepsIt() {
        GradientMode.on(
                () -> {
                    try (GradientCollector collector =
                            Engine.getInstance().newGradientCollector()) {
                        collector.zeroGradients();
                        NDArray x = Tensors.normal(manager, 1, 5, 2, 4);
                        collector.backward(project(x, true).sum());
                        NDArray expected = x.neg().reshape(5, 8).sum(new int[] {0}, true);
                        Tensors.assertClose(
                                "dW",
                                projection.weight().getArray().getGradient(),
                                expected.repeat(0, 3),
                                TOLERANCE);
                        assertThat(forwards).isEqualTo(1);
                        return null;
                    }
                });
    }
}
