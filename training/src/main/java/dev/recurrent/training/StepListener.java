package dev.recurrent.training;

/** Hears of every update of the parameters. */
@FunctionalInterface
public interface StepListener {

    /**
     * Called after an update, on the trainer's thread.
     *
     * @param trainer that made it
     * @param report what it was like
     */
    void onStep(LanguageModelTrainer trainer, StepReport report);
}
