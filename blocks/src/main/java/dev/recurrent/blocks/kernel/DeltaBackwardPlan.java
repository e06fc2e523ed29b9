package dev.recurrent.blocks.kernel;

import dev.recurrent.blocks.cuda.CudaDevice;
import java.util.Optional;

/**
 * How the work of the delta rule's backward is cut for a device.
 *
 * @param warps of a block of the kernels that go from chunk to chunk, 16 columns of V each
 * @param loaders warps of such a block that load for the others; 0 if all do
 * @param stages chunks that such a block has in shared memory
 * @param panel columns of V that {@code inputs} takes at a time
 * @param ring slices of states that it has in shared memory
 */
record DeltaBackwardPlan(int warps, int loaders, int stages, int panel, int ring) {

    private static final int MOST_WARPS = 8;
    private static final int LEAST_WARPS = 2;
    private static final int LOADERS = 4;
    private static final int MOST_STAGES = 3;

    /** The part of the multiprocessors that is to have a block, before blocks grow. */
    private static final double ENOUGH = 0.75;

    /** A panel that holds all of V is loaded once. */
    private static final int MOST_PANEL = 128;

    /** Panels and rings, the best first, where there is no such panel. */
    private static final int[][] PANELS = {{64, 3}, {64, 2}, {32, 2}};

    /**
     * Chooses.
     *
     * @param layout of the operands
     * @param states B·HV, how many states there are
     * @param device which one
     * @return the plan; empty if the operands do not fit
     */
    static Optional<DeltaBackwardPlan> of(
            DeltaBackwardLayout layout, int states, CudaDevice device) {
        int mostShared = device.mostSharedBytes();
        int warps = warps(layout, (double) states / device.multiprocessors(), mostShared);
        if (layout.valuesBytes(warps) > mostShared || layout.prepareBytes() > mostShared) {
            return Optional.empty();
        }
        int loaders = warps <= LEAST_WARPS ? LOADERS : 0;
        int fitting = mostShared / layout.valuesBytes(warps);
        int stages = Math.min(fitting, loaders > 0 ? MOST_STAGES : 2);
        if (layout.values() <= MOST_PANEL
                && layout.inputsBytes(layout.values(), MOST_STAGES) <= mostShared) {
            return Optional.of(
                    new DeltaBackwardPlan(warps, loaders, stages, layout.values(), MOST_STAGES));
        }
        for (int[] choice : PANELS) {
            int panel = Math.min(choice[0], layout.values());
            if (layout.inputsBytes(panel, choice[1]) <= mostShared) {
                return Optional.of(new DeltaBackwardPlan(warps, loaders, stages, panel, choice[1]));
            }
        }
        return Optional.empty();
    }

    /** As many as V has use for, but fewer where multiprocessors would be left without work. */
    private static int warps(
            DeltaBackwardLayout layout, double statesOfMultiprocessor, int mostShared) {
        int warps = LEAST_WARPS;
        while (warps < MOST_WARPS
                && warps * DeltaBackwardLayout.TILE < layout.values()
                && layout.valuesBytes(2 * warps) <= mostShared
                && statesOfMultiprocessor * slices(layout, 2 * warps) >= ENOUGH) {
            warps *= 2;
        }
        return warps;
    }

    private static int slices(DeltaBackwardLayout layout, int warps) {
        return DeltaBackwardLayout.ceilDiv(layout.valueDim(), DeltaBackwardLayout.TILE * warps);
    }

    /** Blocks that share the columns of a state. */
    int slices(DeltaBackwardLayout layout) {
        return slices(layout, warps);
    }

    /** Threads of a block that goes from chunk to chunk. */
    int threads() {
        return 32 * (warps + loaders);
    }
}
