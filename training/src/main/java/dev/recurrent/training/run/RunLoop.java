package dev.recurrent.training.run;

import ai.djl.training.EasyTrain;
import ai.djl.training.dataset.Batch;
import dev.recurrent.training.DivergenceException;
import dev.recurrent.training.LanguageModelTrainer;
import java.io.IOException;
import java.io.UncheckedIOException;

/** The loop of a run: batches, updates, validations and checkpoints, until the end or a stop. */
final class RunLoop {

    private final RunConfig config;
    private final RunData data;
    private final LanguageModelTrainer trainer;
    private final RunCheckpoints checkpoints;
    private final RunReporter reporter;
    private final int steps;
    private long validated = -1;

    RunLoop(
            RunConfig config,
            RunData data,
            LanguageModelTrainer trainer,
            RunCheckpoints checkpoints,
            RunReporter reporter) {
        this.config = config;
        this.data = data;
        this.trainer = trainer;
        this.checkpoints = checkpoints;
        this.reporter = reporter;
        steps = config.count(RunSetting.STEPS);
        trainer.addStepListener((source, report) -> reporter.step(report));
    }

    /** Runs until all updates are made; returns whether they were, or a stop was asked for. */
    boolean run() throws IOException {
        try (Interruption interruption = new Interruption()) {
            while (trainer.getSteps() < steps) {
                update();
                boolean stopping = interruption.isRequested();
                boolean last = trainer.getSteps() == steps;
                if (last || !stopping && isDue(RunSetting.EVALUATE_EVERY)) {
                    reporter.validation(trainer.getSteps(), validate());
                    validated = trainer.getSteps();
                }
                if (last || stopping || isDue(saving())) {
                    checkpoints.save(
                            validated == trainer.getSteps()
                                    ? reporter.lastValidation()
                                    : Double.NaN);
                }
                if (stopping && !last) {
                    return false;
                }
            }
            return true;
        } catch (DivergenceException e) {
            throw e.with(checkpoints.newest());
        } catch (UncheckedIOException e) {
            // The metrics file, whose listener may throw nothing else.
            throw e.getCause();
        }
    }

    private RunSetting saving() {
        return config.count(RunSetting.SAVE_EVERY) == 0
                ? RunSetting.EVALUATE_EVERY
                : RunSetting.SAVE_EVERY;
    }

    private boolean isDue(RunSetting every) {
        return trainer.getSteps() % config.count(every) == 0;
    }

    private Validation validate() throws IOException {
        return Validation.of(trainer, data, config.count(RunSetting.EVALUATE_BATCHES));
    }

    /** Reads batches until the parameters were updated once. */
    private void update() {
        long before = trainer.getSteps();
        while (trainer.getSteps() == before) {
            try (Batch batch = data.next(trainer.getManager())) {
                EasyTrain.trainBatch(trainer, batch);
                trainer.step();
            }
        }
    }
}
