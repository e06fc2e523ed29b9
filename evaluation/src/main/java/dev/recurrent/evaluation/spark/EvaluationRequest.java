package dev.recurrent.evaluation.spark;

import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.evaluation.Suggestions;
import dev.recurrent.evaluation.catalog.Tasks;
import dev.recurrent.evaluation.run.KnownModels;
import dev.recurrent.evaluation.task.LineTask;
import dev.recurrent.evaluation.task.Task;
import dev.recurrent.evaluation.task.TaskOptions;
import dev.recurrent.evaluation.task.TaskType;
import dev.recurrent.zoo.ModelReference;
import java.io.IOException;
import java.io.Serializable;
import java.nio.file.Path;

/**
 * Which model is measured by which task: strings and numbers, from which every machine makes model
 * and task anew.
 *
 * @param model an entry of the zoo, or a folder that all machines see
 * @param device where executors hold it, such as {@code cpu} or {@code gpu}
 * @param batch how many documents, or windows of one, go through the model together
 * @param task the task's name
 * @param lines URI of a JSONL file whose lines are the documents, read by the executors; null for
 *     documents that the task reads or draws itself, on the driver
 * @param text see {@link TaskOptions}
 * @param data see {@link TaskOptions}
 * @param length see {@link TaskOptions}
 * @param stride see {@link TaskOptions}
 * @param shots see {@link TaskOptions}
 * @param limit see {@link TaskOptions}
 * @param seed of everything that is drawn, and of the standard errors' bootstrap
 */
public record EvaluationRequest(
        String model,
        String device,
        int batch,
        String task,
        String lines,
        String text,
        String data,
        int length,
        int stride,
        int shots,
        long limit,
        long seed)
        implements Serializable {

    /**
     * Checks the values.
     *
     * @throws InvalidInputException if one is out of range
     */
    public EvaluationRequest {
        if (batch < 1) {
            throw new InvalidInputException("A batch size of at least 1 is wanted, not " + batch);
        }
        if (!device.matches("(cpu|gpu)\\d*")) {
            throw new InvalidInputException("'" + device + "' is not cpu, gpu or gpu0, gpu1 …");
        }
        new TaskOptions(path(text), path(data), length, stride, shots, limit, seed);
    }

    /** A task on CPUs, a document at a time. */
    public static EvaluationRequest of(String model, String task, TaskOptions options) {
        return new EvaluationRequest(
                model,
                "cpu",
                1,
                task,
                null,
                string(options.text()),
                string(options.data()),
                options.length(),
                options.stride(),
                options.shots(),
                options.limit(),
                options.seed());
    }

    /** Returns this with another batch size. */
    public EvaluationRequest withBatch(int value) {
        return new EvaluationRequest(
                model, device, value, task, lines, text, data, length, stride, shots, limit, seed);
    }

    /** Returns this on another device. */
    public EvaluationRequest withDevice(String value) {
        return new EvaluationRequest(
                model, value, batch, task, lines, text, data, length, stride, shots, limit, seed);
    }

    /** Returns this over the lines of another file, a URI that Hadoop knows. */
    public EvaluationRequest withLines(String value) {
        return new EvaluationRequest(
                model, device, batch, task, value, text, data, length, stride, shots, limit, seed);
    }

    private static Path path(String value) {
        return value == null ? null : Path.of(value);
    }

    private static String string(Path value) {
        return value == null ? null : value.toString();
    }

    private TaskOptions options() {
        return new TaskOptions(path(text), path(data), length, stride, shots, limit, seed);
    }

    private TaskType type() {
        return Tasks.find(task).orElseThrow(() -> Suggestions.unknown("task", task, Tasks.names()));
    }

    /** Checks that there are such a model and such a task. */
    void check() {
        reference();
        type();
    }

    /** Makes the task with its documents, checking them. */
    Task newTask() throws IOException {
        return type().factory().create(options());
    }

    /** Makes the task without documents, to be asked about lines. */
    LineTask newLineTask() throws IOException {
        if (type().lines() == null) {
            throw new InvalidInputException(
                    "The documents of task " + task + " are not the lines of a file");
        }
        return type().lines().create(options());
    }

    /** Makes the task as documents that were read elsewhere are put to it. */
    Task newTaskForOthersDocuments() throws IOException {
        return type().lines() == null ? newTask() : newLineTask();
    }

    /** Returns the number of documents that are scored of so many. */
    long limited(long documents) {
        return options().limited(documents);
    }

    /** Finds the model. */
    ModelReference reference() {
        return KnownModels.find(model);
    }
}
