package dev.recurrent.evaluation.bench;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.recurrent.blocks.autograd.Tape;
import dev.recurrent.blocks.torch.GradientMode;
import dev.recurrent.blocks.torch.Torch;
import java.util.Arrays;
import java.util.function.Function;

/**
 * A rule forward and backward, with a tape.
 *
 * @param rule outputs of inputs
 * @param gradient of the outputs
 * @param inputs null for none
 */
record TapedPass(Function<NDArray[], NDArray> rule, NDArray gradient, NDArray... inputs)
        implements Workload {

    @Override
    public NDArray run(NDManager scope) {
        NDArray[] variables =
                Arrays.stream(inputs).map(input -> variable(scope, input)).toArray(NDArray[]::new);
        try (Tape tape = Tape.open(false)) {
            return GradientMode.on(
                    () -> {
                        tape.backward(rule.apply(variables), gradient);
                        return variables[0].getGradient();
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
