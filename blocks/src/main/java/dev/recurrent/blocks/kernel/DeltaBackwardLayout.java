package dev.recurrent.blocks.kernel;

import ai.djl.ndarray.NDArray;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Torch;
import java.util.stream.Stream;

/**
 * How the delta rule's backward lays out memory, as {@code delta_backward.cuh} has it.
 *
 * @param elementBytes of q, k, v and the gradient of o
 * @param keyDim K
 * @param valueDim V
 * @param corrects whether there is β
 */
record DeltaBackwardLayout(int elementBytes, int keyDim, int valueDim, boolean corrects) {

    /** Tokens of a chunk. */
    static final int CHUNK = 64;

    /** Rows and columns of what a warp multiplies at a time. */
    static final int TILE = 16;

    /** Rows of 16 elements of a lower triangular [C, C]. */
    static final int TRIANGLE_ROWS = 160;

    /** Floats that gates, strengths and positions of a chunk come to. */
    static final int FACTORS = 7 * CHUNK + 16;

    /** The part of them that kernels going from chunk to chunk load. */
    private static final int SCAN_FACTORS = 2 * CHUNK + 16;

    private static final int FLOAT = Float.BYTES;
    private static final int MOST_COLUMNS = 64;

    /** Returns the layout for q and k [B, T, H, K] and v [B, T, HV, V]. */
    static DeltaBackwardLayout of(NDArray q, NDArray k, NDArray v, boolean corrects) {
        return new DeltaBackwardLayout(
                typeOf(q, k, v).bytes(),
                Math.toIntExact(k.getShape().get(3)),
                Math.toIntExact(v.getShape().get(3)),
                corrects);
    }

    /** Returns the type in which tensors are read: bfloat16 if all are that, else float32. */
    static ScalarType typeOf(NDArray... arrays) {
        boolean narrow =
                Stream.of(arrays).allMatch(array -> Torch.typeOf(array) == ScalarType.BFLOAT16);
        return narrow ? ScalarType.BFLOAT16 : ScalarType.FLOAT32;
    }

    /** What sources call the type of q, k and v. */
    String type() {
        return elementBytes == ScalarType.BFLOAT16.bytes() ? "bfloat16" : "float";
    }

    /** Warps that share the columns of q and k. */
    int columnWarps() {
        return ceilDiv(keyDim, MOST_COLUMNS);
    }

    /** K with zeros at the end. */
    int keys() {
        return columnWarps() * padded(ceilDiv(keyDim, columnWarps()));
    }

    /** V with zeros at the end. */
    int values() {
        return padded(valueDim);
    }

    /** Shared memory of {@code prepare}. */
    int prepareBytes() {
        return Math.max(tile(CHUNK, keys()), tile(CHUNK, CHUNK, FLOAT))
                + tile(CHUNK, keys())
                + tile(CHUNK, TILE, FLOAT)
                + FACTORS * FLOAT;
    }

    /** Shared memory of {@code states} for each stage. */
    int statesBytes(int warps) {
        return tile(CHUNK, keys())
                + tile(CHUNK, TILE * warps)
                + (corrects ? triangle() : 0)
                + SCAN_FACTORS * FLOAT;
    }

    /** Shared memory of {@code values} for each stage. */
    int valuesBytes(int warps) {
        return 2 * tile(CHUNK, keys())
                + tile(CHUNK, TILE * warps)
                + triangles()
                + SCAN_FACTORS * FLOAT;
    }

    /** Shared memory of {@code inputs}. */
    int inputsBytes(int panel, int ring) {
        int panels = (panel < values() ? 2 : 1) * (corrects ? 3 : 2) * tile(CHUNK, panel);
        int floats = FACTORS + 2 * CHUNK + 3 * columnWarps() * CHUNK + 2 * columnWarps();
        return tile(CHUNK, keys())
                + Math.max(panels, tile(CHUNK, keys()))
                + ring * 2 * tile(TILE, keys())
                + triangles()
                + floats * FLOAT;
    }

    private int triangles() {
        return corrects ? 2 * triangle() : triangle();
    }

    private int triangle() {
        return tile(TRIANGLE_ROWS, TILE);
    }

    private int tile(int rows, int columns) {
        return tile(rows, columns, elementBytes);
    }

    /** Rows stand 16 bytes apart. */
    private static int tile(int rows, int columns, int elementBytes) {
        return rows * (columns * elementBytes + 16);
    }

    private static int padded(int size) {
        return ceilDiv(size, TILE) * TILE;
    }

    static int ceilDiv(int dividend, int divisor) {
        return (dividend + divisor - 1) / divisor;
    }
}
