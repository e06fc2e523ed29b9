package dev.recurrent.evaluation.run;

import ai.djl.Device;
import ai.djl.MalformedModelException;
import dev.recurrent.evaluation.report.Memory;
import dev.recurrent.evaluation.report.ModelResult;
import dev.recurrent.evaluation.score.Scorer;
import dev.recurrent.evaluation.task.Measured;
import dev.recurrent.evaluation.task.Outcome;
import dev.recurrent.evaluation.task.Progress;
import dev.recurrent.evaluation.task.Tally;
import dev.recurrent.evaluation.task.Task;
import dev.recurrent.evaluation.task.TaskRunner;
import dev.recurrent.evaluation.task.Traits;
import dev.recurrent.zoo.ModelReference;
import dev.recurrent.zoo.Pretrained;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/**
 * Models measured by tasks. Whether a task can be put to a model shows when it is added, before any
 * weights are loaded; each model is then loaded once, in the order in which they came.
 */
public final class Evaluation {

    /** Weights of entries without trained ones start here. */
    private static final long WEIGHTS_SEED = 0;

    private record Item(Task task, int length) {}

    private final Device device;
    private final int batch;
    private final long seed;
    private final Map<ModelReference, List<Item>> items = new LinkedHashMap<>();

    /**
     * Constructs an evaluation of nothing.
     *
     * @param device where models run
     * @param batch how many sequences run together
     * @param seed of the standard errors' bootstrap
     */
    public Evaluation(Device device, int batch, long seed) {
        this.device = device;
        this.batch = batch;
        this.seed = seed;
    }

    /**
     * Adds a model and a task.
     *
     * @param model which model
     * @param task what it is measured by
     * @param length of the task's sequences as the user chose it; 0 for the task's own
     * @throws dev.recurrent.evaluation.InvalidInputException if the model cannot be asked: see
     *     {@link Task#fit}
     * @throws MalformedModelException if the model's configuration is malformed
     * @throws IOException if it cannot be read
     */
    public void add(ModelReference model, Task task, int length)
            throws IOException, MalformedModelException {
        KnownModels.check(task, model);
        items.computeIfAbsent(model, key -> new ArrayList<>()).add(new Item(task, length));
    }

    /**
     * Measures.
     *
     * @param listener is told what happens
     * @return the results, by model and in the order in which tasks were added
     * @throws MalformedModelException if a model's files are malformed or do not fit together
     * @throws IOException if a file cannot be read
     */
    public List<ModelResult> run(EvaluationListener listener)
            throws IOException, MalformedModelException {
        List<ModelResult> results = new ArrayList<>();
        for (Map.Entry<ModelReference, List<Item>> entry : items.entrySet()) {
            ModelReference reference = entry.getKey();
            try (Pretrained model = reference.open(device, WEIGHTS_SEED)) {
                for (Item item : entry.getValue()) {
                    results.add(measure(reference, model, item, listener));
                }
            }
        }
        return results;
    }

    private ModelResult measure(
            ModelReference reference, Pretrained model, Item item, EvaluationListener listener)
            throws IOException {
        Task task = item.task;
        // Fitted anew, to the tokenizer that lives as long as the model.
        Task.Questions questions = task.fit(traits(reference, model));
        Consumer<Outcome> outcomes = listener.outcomes(reference, task, item.length);
        Progress progress = listener.starting(reference, task, item.length);
        Memory.resetPeak(device);
        long start = System.nanoTime();
        Tally tally =
                new TaskRunner(task, seed)
                        .run(questions, scorer(model, task, progress), outcomes, progress);
        double seconds = (System.nanoTime() - start) / 1e9;
        return new ModelResult(
                reference.text(),
                task.name(),
                item.length,
                Measured.of(tally),
                seconds,
                Memory.peak(device));
    }

    private static Traits traits(ModelReference reference, Pretrained model) {
        return new Traits(
                reference.text(),
                model.findTokenizer().orElse(null),
                model.config().model().vocabulary());
    }

    /** A single question shows how far it has come by itself. */
    private Scorer scorer(Pretrained model, Task task, Progress progress) {
        boolean single = task.documents().size() == 1;
        return new Scorer(
                model.model(),
                model.findTokenizer().orElse(null),
                model.manager(),
                batch,
                single ? done -> progress.update(done, 0) : done -> {});
    }
}
