package dev.recurrent.training.run;

import ai.djl.Device;
import ai.djl.MalformedModelException;
import dev.recurrent.training.DivergenceException;
import dev.recurrent.training.LanguageModelTrainer;
import dev.recurrent.training.LanguageModelTrainingConfig;
import dev.recurrent.training.checkpoint.CheckpointStore;
import dev.recurrent.training.checkpoint.RunLock;
import dev.recurrent.training.checkpoint.RunLockedException;
import dev.recurrent.training.checkpoint.StoredCheckpoint;
import java.io.IOException;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;

/**
 * Trains a model on texts, in a folder: settings, checkpoints, metrics and a curve are written
 * there, and in the end the model.
 *
 * <p>A run that was stopped (by Ctrl-C, which saves a checkpoint, or by a crash) goes on with
 * {@code resume} as if nothing had happened: on CPU, to the last bit.
 */
public final class TrainingRun {

    /** What the place of a checkpoint in the data depends on. */
    private static final Set<RunSetting> ORDER_OF_DATA =
            EnumSet.of(
                    RunSetting.DATA,
                    RunSetting.FIELD,
                    RunSetting.DOCUMENTS,
                    RunSetting.TRAIN_FRACTION,
                    RunSetting.BATCH,
                    RunSetting.LENGTH,
                    RunSetting.SEED);

    private final RunConfig config;
    private final RunFolder folder;
    private final Device device;
    private final Consumer<String> progress;

    /**
     * Constructs a run, which does nothing yet.
     *
     * @param config its settings
     * @param folder where its files are to be
     * @param device to train on
     * @param progress takes lines for people
     */
    public TrainingRun(RunConfig config, Path folder, Device device, Consumer<String> progress) {
        this.config = config;
        this.folder = new RunFolder(folder);
        this.device = device;
        this.progress = progress;
    }

    /**
     * Reads the settings of a run that is to be resumed.
     *
     * @param folder of the run
     * @return its settings
     * @throws InvalidRunException if the folder holds no run
     * @throws IOException if they cannot be read
     */
    public static RunConfig configOf(Path folder) throws IOException {
        RunFolder run = new RunFolder(folder);
        if (!run.holdsRun()) {
            throw new InvalidRunException(
                    folder + " holds no run: there is no " + RunConfig.FILE + " to resume");
        }
        return RunConfig.of(RunConfig.read(run.config()));
    }

    /**
     * Says what the run will take, without starting it.
     *
     * @throws InvalidRunException if a setting does not fit
     * @throws MalformedModelException if the model is malformed
     * @throws IOException if a file cannot be read
     */
    public RunPlan plan() throws IOException, MalformedModelException {
        try {
            return RunModel.plan(config);
        } catch (IllegalArgumentException e) {
            throw new InvalidRunException(e.getMessage(), e);
        }
    }

    /**
     * Trains.
     *
     * @param resume whether to go on from the newest valid checkpoint in the folder
     * @return what came of it
     * @throws InvalidRunException if a setting does not fit, or the folder holds a run already
     * @throws DivergenceException if a loss or gradient is not finite; the checkpoints stay
     * @throws MalformedModelException if the model is malformed, or a checkpoint is another model's
     * @throws RunLockedException if another run is at work in the folder
     * @throws IOException if data cannot be read or results cannot be written
     */
    public RunResult train(boolean resume) throws IOException, MalformedModelException {
        checkFolder(resume);
        try (RunModel model = RunModel.open(config, device);
                RunData data = RunData.open(config, model.pretrained())) {
            LanguageModelTrainingConfig training = model.trainingConfig(config);
            folder.create();
            RunLock lock = RunLock.acquire(folder.root());
            try {
                // Again, under the lock: another run may have come and gone meanwhile.
                checkFolder(resume);
                config.write(folder.config());
                return train(model, data, training, resume);
            } finally {
                lock.close();
            }
        }
    }

    private void checkFolder(boolean resume) throws IOException {
        if (!folder.holdsRun()) {
            return;
        }
        if (!resume) {
            throw new InvalidRunException(
                    folder.root()
                            + " holds a run already: resume it (--resume), or name another folder");
        }
        RunConfig earlier = configOf(folder.root());
        for (RunSetting setting : ORDER_OF_DATA) {
            if (!earlier.text(setting).equals(config.text(setting))) {
                throw new InvalidRunException(
                        setting.key()
                                + " was "
                                + earlier.text(setting)
                                + " in this run and cannot become "
                                + config.text(setting)
                                + ": its place in the data would be another; start a run of its"
                                + " own from the model");
            }
        }
    }

    private RunResult train(
            RunModel model, RunData data, LanguageModelTrainingConfig training, boolean resume)
            throws IOException, MalformedModelException {
        CheckpointStore store =
                new CheckpointStore(folder.checkpoints(), config.count(RunSetting.KEEP));
        StoredCheckpoint from = resume ? store.newestValid().orElse(null) : null;
        if (from != null) {
            model.restore(from.folder());
            progress.accept("resuming after step " + from.step());
        }
        long done = from == null ? 0 : from.step();
        if (done > config.count(RunSetting.STEPS)) {
            throw new InvalidRunException(
                    "steps is " + config.count(RunSetting.STEPS) + ", but " + done + " are done");
        }
        try (RunReporter reporter = new RunReporter(folder, config, resume, done, progress)) {
            boolean finished;
            try (LanguageModelTrainer trainer = model.newTrainer(training)) {
                RunCheckpoints checkpoints = new RunCheckpoints(store, model, trainer, data);
                if (from != null) {
                    checkpoints.resume(from);
                }
                finished = new RunLoop(config, data, trainer, checkpoints, reporter).run();
                done = trainer.getSteps();
            }
            if (finished) {
                finish(model, store);
            }
            reporter.draw();
            return new RunResult(
                    done,
                    reporter.lastValidation(),
                    reporter.bestValidation(),
                    finished,
                    finished ? folder.model() : null);
        }
    }

    /** Writes the model with the least validation loss; the last where there was no validation. */
    private void finish(RunModel model, CheckpointStore store)
            throws IOException, MalformedModelException {
        Optional<StoredCheckpoint> best = store.best();
        if (best.isPresent()) {
            model.restore(best.get().folder());
        }
        model.finish(folder);
    }
}
