package dev.recurrent.training.run;

import ai.djl.MalformedModelException;
import ai.djl.ndarray.NDManager;
import dev.recurrent.training.LanguageModelTrainer;
import dev.recurrent.training.checkpoint.CheckpointStore;
import dev.recurrent.training.checkpoint.OptimizerFile;
import dev.recurrent.training.checkpoint.StoredCheckpoint;
import dev.recurrent.training.checkpoint.TrainingState;
import dev.recurrent.training.data.DataCursor;
import dev.recurrent.training.optimizer.LossScale;
import java.io.IOException;
import java.util.Optional;

/** Saves all that a run is, and makes it what it was. */
final class RunCheckpoints {

    private final CheckpointStore store;
    private final RunModel model;
    private final LanguageModelTrainer trainer;
    private final RunData data;

    RunCheckpoints(
            CheckpointStore store, RunModel model, LanguageModelTrainer trainer, RunData data) {
        this.store = store;
        this.model = model;
        this.trainer = trainer;
        this.data = data;
    }

    /**
     * Saves a checkpoint, whose folder is also a model's.
     *
     * @param validationLoss NaN if it is not known
     */
    void save(double validationLoss) throws IOException {
        store.save(
                trainer.getSteps(),
                validationLoss,
                folder -> {
                    model.save(folder);
                    try (NDManager views = trainer.getManager().newSubManager()) {
                        OptimizerFile.write(folder, trainer.optimizerState(views));
                    }
                    state().write(folder);
                });
    }

    private TrainingState state() {
        DataCursor cursor = data.cursor();
        Optional<LossScale> scale = trainer.getLossScale();
        return new TrainingState(
                TrainingState.FORMAT,
                trainer.getSteps(),
                cursor.epoch(),
                cursor.batch(),
                scale.map(LossScale::value).orElse(0.0),
                scale.map(LossScale::goodUpdates).orElse(0));
    }

    /** Makes optimizer and data what they were. The model has been restored before. */
    void resume(StoredCheckpoint checkpoint) throws IOException, MalformedModelException {
        TrainingState state = TrainingState.read(checkpoint.folder());
        try (NDManager views = trainer.getManager().newSubManager()) {
            OptimizerFile.read(checkpoint.folder(), views, trainer.optimizerState(views));
        }
        trainer.resume(state.step());
        trainer.getLossScale()
                // A run that was saved in another precision has no scale to go on from.
                .filter(scale -> state.lossScale() > 0)
                .ifPresent(scale -> scale.resume(state.lossScale(), state.goodUpdates()));
        data.seek(new DataCursor(state.epoch(), state.batch()));
    }

    /** Says where training can go on from. */
    String newest() {
        try {
            return store.newestValid()
                    .map(checkpoint -> "The last checkpoint is " + checkpoint.folder())
                    .orElse("There is no checkpoint");
        } catch (IOException e) {
            return "The checkpoints cannot be read: " + e.getMessage();
        }
    }
}
