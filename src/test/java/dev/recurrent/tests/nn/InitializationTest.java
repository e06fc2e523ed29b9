package dev.recurrent.tests.nn;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.initializer.Initializer;
import dev.recurrent.blocks.nn.Initialization;
import org.assertj.core.data.Percentage;
import org.junit.jupiter.api.Test;

class InitializationTest {

    /** 160,000 draws tell a standard deviation to some thousandths. */
    private static final Percentage SAMPLING = Percentage.withPercentage(2);

    @Test
    void gpt2ScalesOutputsByDepth() {
        Initialization gpt2 = Initialization.gpt2(0.02, 8);
        assertDeviation(gpt2.projection(384), 0.02);
        assertDeviation(gpt2.embedding(384), 0.02);
        assertDeviation(gpt2.convolution(4), 0.02);
        assertDeviation(gpt2.output(384), 0.005);
    }

    private static void assertDeviation(Initializer initializer, double expected) {
        try (NDManager manager = NDManager.newBaseManager()) {
            manager.getEngine().setRandomSeed(5);
            NDArray drawn = initializer.initialize(manager, new Shape(400, 400), DataType.FLOAT32);
            double deviation = Math.sqrt(drawn.square().mean().getFloat());
            assertThat(deviation).isCloseTo(expected, SAMPLING);
        }
    }
}
