package dev.recurrent.evaluation.task;

/** Is told how far a task has come. */
@FunctionalInterface
public interface Progress {

    /** Nobody is told. */
    Progress NONE = (done, tokens) -> {};

    /**
     * Called now and then.
     *
     * @param done the part that is done, in [0, 1]
     * @param tokens the tokens that went through the model so far
     */
    void update(double done, long tokens);
}
