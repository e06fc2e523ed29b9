package dev.recurrent.training;

/**
 * Training cannot go on: a loss or a gradient is NaN or infinite. The parameters are those before
 * the step, and the gradients are gone.
 */
public final class DivergenceException extends RuntimeException {

    private static final long serialVersionUID = 1;

    private final long step;
    private final String parameter;

    DivergenceException(long step, String parameter, double loss, String advice) {
        super(
                "Training diverged at step "
                        + step
                        + ": the loss is "
                        + loss
                        + (parameter == null
                                ? ""
                                : " and the gradient of " + parameter + " is not finite")
                        + ". "
                        + advice);
        this.step = step;
        this.parameter = parameter;
    }

    private DivergenceException(DivergenceException first, String more) {
        super(first.getMessage() + ". " + more, first);
        step = first.step;
        parameter = first.parameter;
    }

    /** Returns the same, with another sentence at the end of its message. */
    public DivergenceException with(String more) {
        return new DivergenceException(this, more);
    }

    /** Returns the update that was not made, from 1. */
    public long getStep() {
        return step;
    }

    /** Returns the first parameter whose gradient is not finite; null if only the loss is not. */
    public String getParameter() {
        return parameter;
    }
}
