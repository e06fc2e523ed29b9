package dev.recurrent.tests.autograd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.data.Offset.offset;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.pytorch.jni.JniUtils;
import ai.djl.training.GradientCollector;
import dev.recurrent.blocks.autograd.Operation;
import dev.recurrent.blocks.autograd.Tape;
import dev.recurrent.blocks.torch.TensorMemory;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Gradients through operations with a backward of their own, against those of autograd alone. */
class TapeTest {

    private static final Shape SHAPE = new Shape(3, 5);

    private boolean before;
    private NDManager manager;
    private NDArray x;
    private NDArray w;

    /** a·b, whose second output a + b carries no gradient unless it is used. */
    private static final class Product implements Operation {

        private final AtomicInteger closed;
        private NDArray a;
        private NDArray b;

        Product(AtomicInteger closed) {
            this.closed = closed;
        }

        @Override
        public NDArray[] forward(NDArray... inputs) {
            a = inputs[0];
            b = inputs[1];
            return new NDArray[] {a.mul(b), a.add(b)};
        }

        @Override
        public NDArray[] backward(NDArray[] gradients, boolean[] wanted) {
            NDArray zero = a.zerosLike();
            NDArray product = gradients[0] == null ? zero : gradients[0];
            NDArray sum = gradients[1] == null ? zero : gradients[1];
            return new NDArray[] {
                wanted[0] ? product.mul(b).add(sum) : null,
                wanted[1] ? product.mul(a).add(sum) : null
            };
        }

        @Override
        public void close() {
            closed.incrementAndGet();
        }
    }

    /** a + b, whose gradient it notes and hands on as it is. */
    private static final class Sum implements Operation {

        private long seen;

        @Override
        public NDArray[] forward(NDArray... inputs) {
            return new NDArray[] {inputs[0].add(inputs[1])};
        }

        @Override
        public NDArray[] backward(NDArray[] gradients, boolean[] wanted) {
            seen = TensorMemory.address(gradients[0]);
            return new NDArray[] {gradients[0], gradients[0]};
        }

        @Override
        public boolean reads(int input) {
            return false;
        }

        @Override
        public void close() {
            // Keeps nothing.
        }
    }

    private interface Multiply {
        /** Returns a·b and a + b. */
        NDArray[] apply(NDArray a, NDArray b);
    }

    @BeforeEach
    void open() {
        manager = NDManager.newBaseManager();
        before = JniUtils.isGradMode();
        JniUtils.setGradMode(true);
        x = manager.randomNormal(SHAPE);
        w = manager.randomNormal(SHAPE);
        x.setRequiresGradient(true);
        w.setRequiresGradient(true);
    }

    @AfterEach
    void close() {
        JniUtils.setGradMode(before);
        manager.close();
    }

    /** A chain as a model makes it: a residual stream that operations read and add to. */
    private NDArray chain(NDArray input, Multiply multiply) {
        NDArray stream = Tape.join(input.mul(2));
        NDArray[] first = multiply.apply(stream, w.tanh());
        NDArray second = Tape.join(stream.add(first[0].sin()));
        NDArray[] third = multiply.apply(second, first[1]);
        return second.add(third[0]);
    }

    private static NDArray[] plainly(NDArray a, NDArray b) {
        return new NDArray[] {a.mul(b), a.add(b)};
    }

    /** dx and dw. */
    private float[][] gradients(Multiply multiply, boolean taped, boolean recomputing) {
        try (GradientCollector collector = Engine.getInstance().newGradientCollector()) {
            collector.zeroGradients();
            if (!taped) {
                collector.backward(chain(x, multiply).sum());
            } else {
                try (Tape tape = Tape.open(recomputing)) {
                    NDArray y =
                            recomputing
                                    ? Tape.recompute(x, (input, again) -> chain(input, multiply))
                                    : chain(x, multiply);
                    tape.backward(y, y.onesLike());
                }
            }
            return new float[][] {x.getGradient().toFloatArray(), w.getGradient().toFloatArray()};
        }
    }

    @Test
    void gradientsAreThoseOfAutograd() {
        AtomicInteger closed = new AtomicInteger();
        float[][] wanted = gradients(TapeTest::plainly, false, false);
        float[][] taped = gradients((a, b) -> Tape.apply(new Product(closed), a, b), true, false);

        // The same products, added in another order: a few units in the last place.
        for (int i = 0; i < 2; i++) {
            for (int j = 0; j < wanted[i].length; j++) {
                assertThat(taped[i][j]).isCloseTo(wanted[i][j], offset(1e-5f));
            }
        }
        assertThat(closed).hasValue(2);
    }

    @Test
    void operationsWithinARecomputedSegmentEndWithIt() {
        AtomicInteger closed = new AtomicInteger();
        float[][] wanted = gradients((a, b) -> Tape.apply(new Product(closed), a, b), true, false);
        float[][] again = gradients((a, b) -> Tape.apply(new Product(closed), a, b), true, true);

        assertThat(again).isDeepEqualTo(wanted);
        // Two of the first pass, and two of each run of the second.
        assertThat(closed).hasValue(6);
    }

    @Test
    void anInputWithoutGradientIsNotWanted() {
        NDArray constant = manager.randomNormal(SHAPE);
        try (Tape tape = Tape.open(false)) {
            NDArray[] y = Tape.apply(new Product(new AtomicInteger()), x, constant);
            tape.backward(y[0], y[0].onesLike());
        }
        assertThat(x.getGradient().toFloatArray()).isEqualTo(constant.toFloatArray());
    }

    @Test
    void withoutATapeItRunsOnlyWhereNothingIsRecorded() {
        AtomicInteger closed = new AtomicInteger();
        NDArray a = x.stopGradient();
        NDArray b = w.stopGradient();

        assertThat(Tape.takes(a, b, null)).isTrue();
        NDArray[] y = Tape.apply(new Product(closed), a, b);
        assertThat(y[0].toFloatArray()).isEqualTo(a.mul(b).toFloatArray());
        assertThat(closed).hasValue(1);

        assertThat(Tape.takes(a, w)).isFalse();
        assertThatThrownBy(() -> Tape.apply(new Product(closed), a, w))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("tape");
    }

    /**
     * What an addition and an operation that reads nothing of it take, and what it leads back to.
     */
    private float[][] gradientsThrough(boolean discarding) {
        x.getGradient().set(new float[(int) SHAPE.size()]);
        w.getGradient().set(new float[(int) SHAPE.size()]);
        try (Tape tape = Tape.open(false)) {
            // A leaf, as operations return them, and a tensor that autograd computed.
            NDArray leaf = Tape.apply(new Product(new AtomicInteger()), x, w)[0];
            NDArray inner = x.sin().mul(w).mul(w);
            NDArray sum = leaf.add(inner);
            if (discarding) {
                Tape.discard(leaf);
                Tape.discard(inner);
                assertThat(leaf.toFloatArray()).containsOnly(Float.NaN);
                assertThat(leaf.getShape()).isEqualTo(SHAPE);
                assertThat(TensorMemory.strides(inner)).containsOnly(0);
            }
            NDArray y = sum.mul(sum);
            tape.backward(y, y.onesLike());
        }
        return new float[][] {x.getGradient().toFloatArray(), w.getGradient().toFloatArray()};
    }

    @Test
    void gradientsPassThroughWhatIsDiscarded() {
        assertThat(gradientsThrough(true)).isDeepEqualTo(gradientsThrough(false));
    }

    /** A tensor that went two ways through an operation each, and a third by autograd. */
    @Test
    void operationsHandGradientsOnWithoutCopies() {
        Sum first = new Sum();
        Sum second = new Sum();
        Sum third = new Sum();
        NDArray y;
        NDArray dy = manager.randomNormal(SHAPE);
        try (Tape tape = Tape.open(false)) {
            NDArray a = Tape.apply(first, x, w)[0];
            NDArray b = Tape.apply(second, a, a)[0];
            y = Tape.apply(third, b, w)[0].add(a.mul(3));
            tape.backward(y, dy);
        }
        assertThat(second.seen).isEqualTo(third.seen);
        assertThat(first.seen).isNotEqualTo(second.seen);
        NDArray five = dy.mul(2).add(dy.mul(3));
        assertThat(x.getGradient().toFloatArray()).isEqualTo(five.toFloatArray());
        assertThat(w.getGradient().toFloatArray()).isEqualTo(dy.add(five).toFloatArray());
    }
}
