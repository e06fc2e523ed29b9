package dev.recurrent.training.optimizer;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
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
