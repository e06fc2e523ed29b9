package dev.recurrent.training.plot;

/** What one direction of a plot shows. */
sealed interface Axis permits LinearAxis, LogAxis {

    /** Returns where the ticks are. */
    double[] ticks();

    /** Returns what stands at a tick. */
    String label(double tick);

    /** Returns where a value lies: 0 at the axis' start, 1 at its end. */
    double fraction(double value);

    /** Returns where a value lies if the axis goes from {@code start} to {@code end}. */
    default double position(double value, double start, double end) {
        return start + fraction(value) * (end - start);
    }
}
