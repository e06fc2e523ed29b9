package dev.recurrent.evaluation.task.needle;

/**
 * Where in a text something stands: 40 depths from 0 to 100 percent, evenly spread and rounded, as
 * RULER has them. Documents take them in turns, with strides that spread also the first few.
 */
final class Depths {

    static final int COUNT = 40;
    static final String AXIS = "depth";

    /** Without common divisor with the count, and near its golden section. */
    private static final int STRIDE = 17;

    private Depths() {}

    /** Returns a document's depth in percent. */
    static int of(long document) {
        long step = document % COUNT * STRIDE % COUNT;
        return (int) Math.round(100.0 * step / (COUNT - 1));
    }
}
