package dev.recurrent.blocks.kernel;

/**
 * How the channels of a convolution are made up of queries, keys and values, in this order.
 *
 * @param heads H, of queries and of keys
 * @param keyDim K
 * @param valueHeads HV
 * @param valueDim V
 */
public record ConvolutionHeads(long heads, long keyDim, long valueHeads, long valueDim) {

    /** Returns 2·H·K + HV·V. */
    public long channels() {
        return 2 * heads * keyDim + valueHeads * valueDim;
    }

    /** Returns whether kernels take heads of this size. */
    public boolean fits() {
        return ConvolutionSlice.holds(keyDim);
    }
}
