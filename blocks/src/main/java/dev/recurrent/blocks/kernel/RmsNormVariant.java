package dev.recurrent.blocks.kernel;

import dev.recurrent.blocks.cuda.Constants;
import dev.recurrent.blocks.cuda.Kernel;
import dev.recurrent.blocks.kernel.RmsNormOperation.Form;

/**
 * What {@code rms_norm.cu} is specialised on, and the blocks that this makes.
 *
 * @param form what is computed
 * @param centred whether weights are stored minus one
 * @param size elements of a part
 * @param types of the tensors
 * @param pack elements that are read at once
 * @param items packs of a thread
 * @param warps of a part
 * @param blocks of a multiprocessor, in the backward
 */
record RmsNormVariant(
        Form form,
        boolean centred,
        int size,
        Types types,
        int pack,
        int items,
        int warps,
        int blocks) {

    private static final int LANES = 32;
    private static final int MOST_WARPS = 32;

    /** Elements a thread where the part is long enough: loads under way at a time. */
    private static final int ELEMENTS = 8;

    /** Beside a gate, the backward has no registers for more. */
    private static final int GATED_BACKWARD_ELEMENTS = 4;

    /** Threads of a multiprocessor whose registers hold the backward's sums, found by measuring. */
    private static final int BACKWARD_THREADS = 1024;

    /** How many parts share a block where each takes one warp. */
    private static final int PARTS_OF_A_WARP = 8;

    /** The longest part: 16 elements a thread of the largest block. */
    static final int MOST_SIZE = MOST_WARPS * LANES * 16;

    /** The backward's packs at most: wider ones take registers and, measured, were no faster. */
    static final int BACKWARD_PACK = 4;

    /** What sources call the tensors' types. */
    record Types(String x, String weight, String update, String gate, String y) {}

    /** Names a variant, whose threads are not known yet. */
    static RmsNormVariant of(Form form, boolean centred, int size, Types types) {
        return new RmsNormVariant(form, centred, size, types, 1, 1, 1, 1);
    }

    /** Returns the variant with the threads of a forward, which reads packs of {@code most}. */
    RmsNormVariant forward(int most) {
        return with(most, ELEMENTS);
    }

    /** Returns the variant with the threads of a backward, which reads packs of {@code most}. */
    RmsNormVariant backward(int most) {
        return with(most, isGated() ? GATED_BACKWARD_ELEMENTS : ELEMENTS);
    }

    private RmsNormVariant with(int most, int least) {
        int packed = most;
        while (packed > 1 && packed * LANES > size) {
            packed /= 2;
        }
        int elements = least;
        while (ceilDiv(size, elements * LANES) > MOST_WARPS) {
            elements *= 2;
        }
        int across = ceilDiv(size, elements * LANES);
        int each = ceilDiv(size, across * LANES * packed);
        int threads = across * LANES * (across == 1 ? PARTS_OF_A_WARP : 1);
        int resident = Math.max(1, BACKWARD_THREADS / threads);
        return new RmsNormVariant(form, centred, size, types, packed, each, across, resident);
    }

    private boolean isGated() {
        return form == Form.NORM_THEN_GATE || form == Form.GATE_THEN_NORM;
    }

    /** Returns how many parts of different rows share a block. */
    int parts() {
        return warps == 1 ? PARTS_OF_A_WARP : 1;
    }

    /** Returns the size of a launch. */
    Kernel.Size block(long blocksOfRows, int partsOfRow) {
        return new Kernel.Size(Math.toIntExact(blocksOfRows), partsOfRow, warps * LANES, parts());
    }

    /** Returns how many blocks share the rows in a backward: those that are resident at once. */
    long blocksSharing(long rows, int partsOfRow, int multiprocessors) {
        long useful = (rows + parts() - 1) / parts();
        return Math.max(1, Math.min(useful, (long) multiprocessors * blocks / partsOfRow));
    }

    Constants constants() {
        return Constants.none()
                .with("X_TYPE", types.x())
                .with("W_TYPE", types.weight())
                .with("U_TYPE", types.update())
                .with("G_TYPE", types.gate())
                .with("Y_TYPE", types.y())
                .with("VECTOR", pack)
                .with("ITEMS", items)
                .with("WARPS", warps)
                .with("PARTS", parts())
                .with("BLOCKS", blocks)
                .with("CENTRED", centred ? 1 : 0)
                .with("UPDATE", form == Form.ADD_THEN_NORM ? 1 : 0)
                .with(
                        "GATE",
                        form == Form.NORM_THEN_GATE ? 1 : form == Form.GATE_THEN_NORM ? 2 : 0);
    }

    private static int ceilDiv(int dividend, int divisor) {
        return (dividend + divisor - 1) / divisor;
    }
}
