package dev.recurrent.evaluation.bench;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.recurrent.blocks.autograd.Tape;
import dev.recurrent.blocks.rule.DeltaRule;
import dev.recurrent.blocks.rule.Positions;
import dev.recurrent.blocks.torch.GradientMode;
import dev.recurrent.blocks.torch.Torch;

/**
 * The delta rule forward and backward, with a tape.
 *
 * @param q [B, T, H, K]
 * @param k [B, T, H, K]
 * @param v [B, T, HV, V]
 * @param beta [B, T, HV]
 * @param decay [B, T, HV], or null
 * @param scale of outputs
 * @param gradient of the outputs, [B, T, HV, V]
 */
record DeltaTraining(
        NDArray q,
        NDArray k,
        NDArray v,
        NDArray beta,
        NDArray decay,
        double scale,
        NDArray gradient)
        implements Workload {

    @Override
    public NDArray run(NDManager scope) {
        long batch = q.getShape().get(0);
        long length = q.getShape().get(1);
        Positions positions = Positions.range(scope, batch, length, 0);
        NDArray query = variable(scope, q);
        try (Tape tape = Tape.open(false)) {
            return GradientMode.on(
                    () -> {
                        NDArray values =
                                DeltaRule.apply(
                                                query,
                                                variable(scope, k),
                                                variable(scope, v),
                                                variable(scope, beta),
                                                variable(scope, decay),
                                                scale,
                                                null,
                                                positions)
                                        .values();
                        tape.backward(values, gradient);
                        return query.getGradient();
                    });
        }
    }

    private static NDArray variable(NDManager scope, NDArray array) {
        if (array == null) {
            return null;
        }
        NDArray variable = Torch.detach(scope, array);
        variable.setRequiresGradient(true);
        return variable;
    }
}
