package dev.recurrent.evaluation.report;

import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.evaluation.task.Outcome;
import dev.recurrent.training.plot.Plot;
import dev.recurrent.zoo.checkpoint.AtomicFiles;
import java.io.Closeable;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Consumer;

/**
 * The folder of an evaluation:
 *
 * <ul>
 *   <li>{@code results_<date>.json}: {@link EvaluationReport#toJson}
 *   <li>{@code results_<date>.csv}: {@link EvaluationReport#toCsv}
 *   <li>{@code samples_<task>_<date>.jsonl}: every outcome, one JSON object a line, where samples
 *       were asked for
 *   <li>{@code table.md}: {@link EvaluationReport#toMarkdown}, then {@link
 *       EvaluationReport#toTable}
 *   <li>{@code *.svg}: the {@link Pictures}
 * </ul>
 *
 * A file is there whole or not at all, and the JSON is written last: where it is, all is.
 */
public final class ResultsFolder implements Closeable {

    /** What shows that a folder has results already. */
    private static final String RESULTS = "{results_*.json,results_*.csv,samples_*.jsonl,table.md}";

    private final Path folder;
    private final String date;
    private final Map<String, SamplesFile> samples = new LinkedHashMap<>();

    private ResultsFolder(Path folder, String date) {
        this.folder = folder;
        this.date = date;
    }

    /**
     * Creates the folder, or takes one that has no results yet.
     *
     * @param folder where
     * @param date of the evaluation, part of its files' names
     * @return the folder, empty
     * @throws InvalidInputException if there is a file of that name, or results in it
     * @throws IOException if it cannot be created or read
     */
    public static ResultsFolder create(Path folder, Instant date) throws IOException {
        if (Files.exists(folder) && !Files.isDirectory(folder)) {
            throw new InvalidInputException(folder + " is a file; results need a folder");
        }
        Files.createDirectories(folder);
        try (DirectoryStream<Path> found = Files.newDirectoryStream(folder, RESULTS)) {
            for (Path file : found) {
                throw new InvalidInputException(
                        "There are results already: "
                                + file
                                + ". Nothing is overwritten; name another folder");
            }
        }
        return new ResultsFolder(folder, FileNames.date(date));
    }

    /**
     * Returns what takes the outcomes of a task, as they come. Those of all models and lengths go
     * into the task's file, in the order in which they come.
     *
     * @param model as the user named it
     * @param task the task's name
     * @param length as in {@link ModelResult}
     * @return a consumer; it throws UncheckedIOException if an outcome cannot be written
     * @throws IOException if the file cannot be created
     */
    public Consumer<Outcome> samples(String model, String task, int length) throws IOException {
        Path file = folder.resolve(FileNames.samples(task, date));
        SamplesFile open = samples.get(task);
        if (open == null) {
            open = new SamplesFile(file);
            samples.put(task, open);
        }
        SamplesFile lines = open;
        return outcome -> {
            try {
                lines.write(model, length, outcome);
            } catch (IOException e) {
                throw new UncheckedIOException("Cannot write " + file, e);
            }
        };
    }

    /**
     * Writes everything; the samples are whole.
     *
     * @param report the results
     * @return the JSON file
     * @throws IOException if a file cannot be written
     */
    public Path write(EvaluationReport report) throws IOException {
        for (SamplesFile file : samples.values()) {
            file.finish();
        }
        for (Map.Entry<String, Plot> picture : Pictures.of(report.results()).entrySet()) {
            picture.getValue().write(folder.resolve(picture.getKey()));
        }
        AtomicFiles.writeString(
                folder.resolve("table.md"), report.toMarkdown() + "\n" + report.toTable());
        AtomicFiles.writeString(folder.resolve(FileNames.results(date, "csv")), report.toCsv());
        Path json = folder.resolve(FileNames.results(date, "json"));
        AtomicFiles.writeString(json, report.toJson());
        return json;
    }

    /** Deletes the samples of an evaluation that did not come to its end. */
    @Override
    public void close() throws IOException {
        for (SamplesFile file : samples.values()) {
            file.close();
        }
    }
}
