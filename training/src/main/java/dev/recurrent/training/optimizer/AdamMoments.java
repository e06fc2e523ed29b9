package dev.recurrent.training.optimizer;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.kernel.AdamWKernel;
import dev.recurrent.blocks.torch.Scalars;

/**
 * Adam's running means of the gradient and of its square (arXiv 1412.6980, algorithm 1).
 *
 * @param mean m, float32
 * @param square v, float32, of the same shape
 */
record AdamMoments(NDArray mean, NDArray square) {

    static AdamMoments zeros(NDManager manager, Shape shape) {
        return new AdamMoments(
                manager.zeros(shape, DataType.FLOAT32), manager.zeros(shape, DataType.FLOAT32));
    }

    /**
     * Takes a gradient in and updates its parameter, in one kernel.
     *
     * @param device where all tensors lie, which must {@link AdamWKernel#fits fit}
     * @param weight the parameter θ, changed
     * @param gradient of θ, unscaled
     * @param scale what the gradient is multiplied by
     * @param hyper β₁, β₂, ε
     * @param update which update this is, from 1
     * @param rate the learning rate
     * @param kept what decay leaves of θ
     */
    void apply(
            CudaDevice device,
            NDArray weight,
            NDArray gradient,
            double scale,
            AdamW.Hyper hyper,
            int update,
            double rate,
            double kept) {
        double root = Math.sqrt(1 - Math.pow(hyper.beta2(), update));
        AdamWKernel.Step step =
                new AdamWKernel.Step(
                        scale,
                        hyper.beta1(),
                        hyper.beta2(),
                        hyper.epsilon() * root,
                        rate * root / (1 - Math.pow(hyper.beta1(), update)),
                        kept);
        AdamWKernel.apply(device, weight, gradient, mean, square, step);
    }

    /**
     * Takes a gradient in.
     *
     * @param gradient of the moments' shape
     * @param hyper β₁, β₂, ε
     * @param update which update this is, from 1
     * @return m̂ / (√v̂ + ε), what a learning rate of 1 subtracts; in the innermost scope
     */
    NDArray take(NDArray gradient, AdamW.Hyper hyper, int update) {
        mean.muli(Scalars.of(hyper.beta1())).addi(gradient.mul(Scalars.of(1 - hyper.beta1())));
        NDArray squared = gradient.mul(gradient);
        square.muli(Scalars.of(hyper.beta2())).addi(squared.muli(Scalars.of(1 - hyper.beta2())));
        // m̂ / (√v̂ + ε) = m · (√c₂ / c₁) / (√v + ε√c₂), with c = 1 − βᵗ
        double root = Math.sqrt(1 - Math.pow(hyper.beta2(), update));
        try (NDArray epsilon = Scalars.once(hyper.epsilon() * root);
                NDArray scale = Scalars.once(root / (1 - Math.pow(hyper.beta1(), update)))) {
            return mean.div(square.sqrt().addi(epsilon)).muli(scale);
        }
    }
}
