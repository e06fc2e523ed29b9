package dev.recurrent.evaluation.report;

import dev.recurrent.evaluation.task.Measured;

/**
 * One task's outcome for one model.
 *
 * @param model as the user named it
 * @param task the task's name
 * @param length the sequences' length that the user chose, in tokens; 0 for the task's own
 * @param measured the scores
 * @param seconds how long the task took, the loading of the model not counted
 * @param peakBytes the process's largest memory so far; 0 where it cannot be told
 */
public record ModelResult(
        String model, String task, int length, Measured measured, double seconds, long peakBytes) {

    /** Returns the task's name, and after an @ the length where the user chose one. */
    public String key() {
        return length > 0 ? task + "@" + length : task;
    }

    /** Returns the throughput in tokens a second. */
    public double tokensPerSecond() {
        return measured.tokens() / seconds;
    }
}
