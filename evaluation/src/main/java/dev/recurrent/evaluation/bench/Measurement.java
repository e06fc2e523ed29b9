package dev.recurrent.evaluation.bench;

/**
 * One timed piece of work.
 *
 * @param work what was computed, with its shape
 * @param form how, such as {@code chunked} or {@code loop}
 * @param seconds median time
 * @param tokens how many tokens that were
 * @param extraBytes how far memory rose above what was taken before; 0 where it cannot be told
 * @param runs how many runs the median is of
 */
public record Measurement(
        String work, String form, double seconds, long tokens, long extraBytes, int runs) {

    /** Returns the throughput in tokens a second. */
    public double tokensPerSecond() {
        return tokens / seconds;
    }
}
