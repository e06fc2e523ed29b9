package dev.recurrent.evaluation.report;

import java.nio.file.Path;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** How the files of an evaluation are named. */
public final class FileNames {

    /** ISO 8601, without the colons that Windows forbids. */
    private static final DateTimeFormatter DATE =
            DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH-mm-ss").withZone(ZoneOffset.UTC);

    private static final Pattern RESULTS = Pattern.compile("results_(.+)\\.json");

    /** File systems take 255 bytes; a letter may be three, and a date and endings follow. */
    private static final int LONGEST = 60;

    private FileNames() {}

    static String date(Instant date) {
        return DATE.format(date);
    }

    static String results(String date, String type) {
        return "results_" + date + "." + type;
    }

    static String samples(String task, String date) {
        return "samples_" + safe(task) + "_" + date + ".jsonl";
    }

    /**
     * Returns where the samples of a task are, if they were asked for.
     *
     * @param results the JSON file of the same evaluation
     * @param task the task's name
     * @return the file; empty if the results' name is not one that evaluations give
     */
    public static Optional<Path> samplesBeside(Path results, String task) {
        Matcher matcher = RESULTS.matcher(results.getFileName().toString());
        return matcher.matches()
                ? Optional.of(results.resolveSibling(samples(task, matcher.group(1))))
                : Optional.empty();
    }

    /** Returns a name of bounded length, with nothing in it that a file system might mind. */
    static String safe(String name) {
        String safe = name.replaceAll("[^\\p{L}\\p{N}.@+-]+", "_").replaceAll("^\\.+", "_");
        return safe.length() <= LONGEST
                ? safe
                : safe.substring(0, LONGEST / 2) + safe.substring(safe.length() - LONGEST / 2);
    }
}
