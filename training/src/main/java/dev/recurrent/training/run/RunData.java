package dev.recurrent.training.run;

import ai.djl.ndarray.NDManager;
import ai.djl.training.dataset.Batch;
import ai.djl.training.dataset.Dataset.Usage;
import dev.recurrent.training.data.Corpus;
import dev.recurrent.training.data.DataCursor;
import dev.recurrent.training.data.InductionHeads;
import dev.recurrent.training.data.Mqar;
import dev.recurrent.training.data.NamedText;
import dev.recurrent.training.data.ResumableDataset;
import dev.recurrent.training.data.SelectiveCopying;
import dev.recurrent.training.data.SyntheticDataset;
import dev.recurrent.training.data.SyntheticTask;
import dev.recurrent.training.data.Texts;
import dev.recurrent.training.data.TokenWindows;
import dev.recurrent.zoo.Pretrained;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;

/** What a run trains on, and what it is validated on. */
final class RunData implements AutoCloseable {

    private static final long TRAINING_EXAMPLES = 100_000;
    private static final long VALIDATION_EXAMPLES = 3_000;

    private final ResumableDataset training;
    private final Supplier<ResumableDataset> validation;
    private final List<Corpus> corpora;

    private RunData(
            ResumableDataset training,
            Supplier<ResumableDataset> validation,
            List<Corpus> corpora) {
        this.training = training;
        this.validation = validation;
        this.corpora = corpora;
    }

    /**
     * Opens the data that the settings name.
     *
     * @throws InvalidRunException if a synthetic task does not fit the model
     * @throws IOException if texts cannot be read or are too short
     */
    static RunData open(RunConfig config, Pretrained model) throws IOException {
        SyntheticTask task = task(config, model.config().model().vocabulary());
        return task == null ? texts(config, model) : synthetic(config, task, model);
    }

    private static RunData texts(RunConfig config, Pretrained model) throws IOException {
        List<Corpus> opened = new ArrayList<>();
        try {
            Optional<NamedText> named = NamedText.of(config.text(RunSetting.DATA));
            Corpus.Split split =
                    named.isPresent()
                            ? parts(named.get(), config, model, opened)
                            : open(Path.of(config.text(RunSetting.DATA)), config, model, opened)
                                    .split(config.number(RunSetting.TRAIN_FRACTION));
            return new RunData(
                    windows(config, split.training()).buildTraining(),
                    windows(config, split.validation())::buildReading,
                    opened);
        } catch (IOException | RuntimeException e) {
            opened.forEach(Corpus::close);
            throw e;
        }
    }

    /** A text with a part of its own for validation. */
    private static Corpus.Split parts(
            NamedText text, RunConfig config, Pretrained model, List<Corpus> opened)
            throws IOException {
        return new Corpus.Split(
                open(text.path(Usage.TRAIN), config, model, opened),
                open(text.path(Usage.VALIDATION), config, model, opened));
    }

    private static Corpus open(Path path, RunConfig config, Pretrained model, List<Corpus> opened)
            throws IOException {
        Texts texts = Texts.of(path, config.text(RunSetting.FIELD));
        Corpus corpus = Corpus.of(texts, model.tokenizer());
        opened.add(corpus);
        return corpus;
    }

    private static TokenWindows.Builder windows(RunConfig config, Corpus corpus) {
        return TokenWindows.builder()
                .setCorpus(corpus)
                .setLength(config.count(RunSetting.LENGTH))
                .setBatch(config.count(RunSetting.BATCH))
                .optSeed(config.count(RunSetting.SEED))
                .optDocuments(config.flag(RunSetting.DOCUMENTS));
    }

    private static SyntheticTask task(RunConfig config, long vocabulary) {
        String[] parts = config.text(RunSetting.DATA).split(":");
        try {
            return switch (parts[0]) {
                case "mqar" ->
                        new Mqar(
                                number(parts, 1, 64),
                                number(parts, 2, 4),
                                Math.min(Mqar.VOCABULARY, vocabulary));
                case "selective-copying" -> new SelectiveCopying(number(parts, 1, 1024));
                case "induction-heads" -> new InductionHeads(number(parts, 1, 256));
                default -> null;
            };
        } catch (IllegalArgumentException e) {
            throw new InvalidRunException("data: " + e.getMessage(), e);
        }
    }

    private static int number(String[] parts, int index, int initial) {
        return index < parts.length ? Integer.parseInt(parts[index]) : initial;
    }

    private static RunData synthetic(RunConfig config, SyntheticTask task, Pretrained model) {
        if (task.vocabulary() > model.config().model().vocabulary()) {
            throw new InvalidRunException(
                    "data: "
                            + config.text(RunSetting.DATA)
                            + " has "
                            + task.vocabulary()
                            + " tokens, the model only "
                            + model.config().model().vocabulary()
                            + "; sizes recall and synthetic of the zoo's entries have enough");
        }
        int batch = config.count(RunSetting.BATCH);
        if (batch > VALIDATION_EXAMPLES) {
            throw new InvalidRunException(
                    "batch must be at most " + VALIDATION_EXAMPLES + " here, not " + batch);
        }
        long seed = config.count(RunSetting.SEED);
        return new RunData(
                new SyntheticDataset(task, TRAINING_EXAMPLES, batch, seed),
                () -> new SyntheticDataset(task, VALIDATION_EXAMPLES, batch, ~seed),
                List.of());
    }

    Batch next(NDManager manager) {
        return training.next(manager);
    }

    DataCursor cursor() {
        return training.cursor();
    }

    void seek(DataCursor cursor) {
        training.seek(cursor);
    }

    /** All batches of the validation, from the first. */
    Iterable<Batch> validation(NDManager manager) {
        return validation.get().getData(manager);
    }

    @Override
    public void close() {
        corpora.forEach(Corpus::close);
    }
}
