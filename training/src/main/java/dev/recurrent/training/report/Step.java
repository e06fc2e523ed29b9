package dev.recurrent.training.report;

/**
 * One step of training, as it is reported.
 *
 * @param step its number, from 1
 * @param totalSteps how many there will be
 * @param loss mean over the step's tokens, in nats a token
 * @param learningRate the rate that the step used
 * @param gradientNorm the norm of all gradients together, before clipping
 * @param tokens that this step trained on
 * @param seconds that this step took
 */
public record Step(
        long step,
        long totalSteps,
        double loss,
        double learningRate,
        double gradientNorm,
        long tokens,
        double seconds) {

    /** Checks the values that count something. */
    public Step {
        if (step < 1 || totalSteps < step || tokens < 0 || !(seconds >= 0)) {
            throw new IllegalArgumentException(
                    "A step needs 1 <= step <= totalSteps, tokens >= 0 and seconds >= 0, not step "
                            + step
                            + " of "
                            + totalSteps
                            + ", "
                            + tokens
                            + " tokens, "
                            + seconds
                            + " s");
        }
    }
}
