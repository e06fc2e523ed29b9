package dev.recurrent.blocks.kernel;

import ai.djl.ndarray.NDArray;
import dev.recurrent.blocks.cuda.Constants;

/**
 * What the sources of the delta rule's forward are specialised on.
 *
 * @param plan how the work is cut
 * @param type of q, k and v, as sources call it
 * @param beta the type of β, likewise
 * @param decay the type of g, likewise
 * @param corrects whether there is β
 * @param decays whether there is g
 * @param positions whether documents start or padding stands inside rows
 * @param aligned whether rows begin at multiples of 16 bytes
 */
record DeltaVariant(
        DeltaPlan plan,
        String type,
        String beta,
        String decay,
        boolean corrects,
        boolean decays,
        boolean positions,
        boolean aligned) {

    static DeltaVariant of(DeltaPlan plan, DeltaArguments arguments) {
        return new DeltaVariant(
                plan,
                Operand.type(arguments.k().array()),
                type(arguments.beta()),
                type(arguments.logDecay()),
                arguments.beta() != null,
                arguments.logDecay() != null,
                arguments.positions() != null,
                arguments.isAligned());
    }

    /** Of what is not there, the type does not matter. */
    private static String type(NDArray array) {
        return array == null ? "float" : Operand.type(array);
    }

    /** Returns the constants of {@code delta_chunks.cu}. */
    Constants chunks() {
        return shared().with("BETA_TYPE", beta)
                .with("DECAY_TYPE", decay)
                .with("DECAY", decays ? 1 : 0)
                .with("POSITIONS", positions ? 1 : 0);
    }

    /** Returns the constants of {@code delta_scan.cu}. */
    Constants scan() {
        return shared().with("WARPS", plan.warps())
                .with("LOADERS", plan.loaders())
                .with("STAGES", plan.stages());
    }

    private Constants shared() {
        return Constants.none()
                .with("TYPE", type)
                .with("CHUNK", DeltaPlan.CHUNK)
                .with("KEYS", plan.keys())
                .with("BETA", corrects ? 1 : 0)
                .with("ALIGNED", aligned ? 1 : 0);
    }
}
