package dev.recurrent.blocks.mixer;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.initializer.Initializer;
import dev.recurrent.blocks.torch.Scalars;

/**
 * How dt_bias starts: steps whose logarithm is uniform between those of 0.001 and 0.1, through the
 * inverse of softplus; float32 whatever the other parameters are.
 */
final class StepBiasInitializer implements Initializer {

    private static final float LOG_LEAST_STEP = (float) Math.log(1e-3);
    private static final float LOG_GREATEST_STEP = (float) Math.log(1e-1);

    @Override
    public NDArray initialize(NDManager manager, Shape shape, DataType type) {
        NDArray logs =
                manager.randomUniform(LOG_LEAST_STEP, LOG_GREATEST_STEP, shape, DataType.FLOAT32);
        NDArray steps = logs.exp();
        NDArray complement = steps.neg().exp().neg().add(Scalars.of(1)); // 1 − e⁻ˢ
        return steps.add(complement.log()); // s + log(1 − e⁻ˢ)
    }
}
