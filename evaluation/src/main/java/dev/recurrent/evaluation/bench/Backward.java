package dev.recurrent.evaluation.bench;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.training.GradientCollector;

/** A workload and its backward pass. */
record Backward(Workload forward) implements Workload {

    @Override
    public NDArray run(NDManager scope) {
        try (GradientCollector collector = scope.getEngine().newGradientCollector()) {
            NDArray target = forward.run(scope);
            collector.backward(target);
            return target.stopGradient();
        }
    }
}
