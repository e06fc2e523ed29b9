package dev.recurrent.blocks.kernel;

import dev.recurrent.blocks.cuda.Constants;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.KernelSource;

/**
 * What products of few rows are specialised on. Which threads, tiles and loads serve which sizes
 * was found by measuring on an H100.
 *
 * @param product what is multiplied
 * @param rows of the source: the most for bfloat16 weights, all for float32
 * @param warps of a block
 * @param ahead loads that a thread has under way of each of its weight rows
 * @param outputs of a block, in tiles for bfloat16; of a warp for float32
 */
record FewRowsVariant(Product product, int rows, int warps, int ahead, int outputs) {

    private static final KernelSource NARROW =
            Sources.of("few_rows.cu", "tensor_core.cuh", "few_rows.cuh");

    private static final KernelSource WIDE = Sources.of("few_rows_wide.cu", "few_rows.cuh");

    /** Rows of one product of the tensor cores, and its outputs. */
    private static final int TILE_ROWS = 8;

    private static final int TILE = 16;

    private static final int LANES = 32;

    /** Bytes that a lane loads at a time. */
    private static final int LOAD = 16;

    /** Warps of a block, loads under way of a thread, and tiles of the block. */
    private record Threads(int warps, int ahead, int tiles) {}

    /** For up to one tile of rows, from few blocks to many. */
    private static final Threads ALONE = new Threads(16, 5, 1);

    private static final Threads FEW = new Threads(8, 8, 1);
    private static final Threads MANY = new Threads(8, 5, 1);
    private static final Threads VERY_MANY = new Threads(16, 5, 1);

    /** For two tiles of rows. */
    private static final Threads ALONE_ROWS = new Threads(16, 4, 1);

    private static final Threads FEW_ROWS = new Threads(16, 4, 2);
    private static final Threads MANY_ROWS = new Threads(8, 4, 2);
    private static final Threads VERY_MANY_ROWS = new Threads(8, 6, 2);
    private static final Threads GATED_ROWS = new Threads(8, 4, 1);

    /** Blocks a multiprocessor up to which they count as few, and from which as very many. */
    private static final int FEW_BLOCKS = 2;

    private static final int VERY_MANY_BLOCKS = 16;

    /** Of float32 weights. */
    private static final int WIDE_WARPS = 8;

    private static final int WIDE_LOADS = 8;

    /** Rows up to which a warp that reads fp32 weights has one output, which reads them best. */
    private static final int ROWS_OF_ONE_OUTPUT = 2;

    /**
     * What is multiplied.
     *
     * @param x the type of x
     * @param y of the result
     * @param bias of the biases
     * @param wide whether weights are float32
     * @param matrices how many there are
     * @param gate what gates the second product by the first; null for none
     */
    record Product(
            String x,
            String y,
            String bias,
            boolean wide,
            int matrices,
            GatedProductOperation.Function gate) {

        private int parts() {
            return gate == null ? 1 : 2;
        }
    }

    /**
     * Chooses.
     *
     * @param device where the product runs
     * @param product what is multiplied
     * @param rows of x
     * @param outputs of all matrices, or of each of two that are gated
     */
    static FewRowsVariant of(CudaDevice device, Product product, int rows, long outputs) {
        if (product.wide()) {
            int ofWarp = rows <= ROWS_OF_ONE_OUTPUT ? 1 : 2;
            return new FewRowsVariant(product, rows, WIDE_WARPS, WIDE_LOADS / ofWarp, ofWarp);
        }
        long blocks = (outputs + TILE - 1) / TILE;
        int share = Math.toIntExact((blocks - 1) / device.multiprocessors() + 1);
        boolean oneTile = rows <= TILE_ROWS;
        Threads threads = oneTile ? threads(share, product) : threadsOfTwo(share, product);
        FewRowsVariant variant =
                new FewRowsVariant(
                        product,
                        oneTile ? TILE_ROWS : 2 * TILE_ROWS,
                        threads.warps(),
                        threads.ahead(),
                        threads.tiles());
        while (variant.ahead > 1 && variant.sharedBytes() > device.mostSharedBytes()) {
            variant = variant.withAhead(variant.ahead - 1);
        }
        return variant;
    }

    private static Threads threads(int share, Product product) {
        if (share <= 1) {
            return ALONE;
        }
        boolean few = share <= FEW_BLOCKS && product.gate() == null;
        return few ? FEW : share < VERY_MANY_BLOCKS ? MANY : VERY_MANY;
    }

    private static Threads threadsOfTwo(int share, Product product) {
        if (product.gate() != null) {
            return GATED_ROWS;
        }
        if (share <= 1) {
            return ALONE_ROWS;
        }
        return share <= FEW_BLOCKS
                ? FEW_ROWS
                : share < VERY_MANY_BLOCKS ? MANY_ROWS : VERY_MANY_ROWS;
    }

    private FewRowsVariant withAhead(int fewer) {
        return new FewRowsVariant(product, rows, warps, fewer, outputs);
    }

    KernelSource source() {
        return product.wide() ? WIDE : NARROW;
    }

    int outputsOfBlock() {
        return product.wide() ? warps * outputs : outputs * TILE;
    }

    /** Room for loads under way, then for the sums of all warps. */
    int sharedBytes() {
        if (product.wide()) {
            return 0;
        }
        int copies = product.x().equals("float") ? 2 : 1;
        int loads = product.parts() * outputs * 2 + rows / TILE_ROWS * copies;
        int stages = warps * ahead * loads * LANES * LOAD;
        int sums = warps * product.parts() * outputsOfBlock() * (rows + 1) * Float.BYTES;
        return Math.max(stages, sums);
    }

    Constants constants() {
        GatedProductOperation.Function gate = product.gate();
        return Constants.none()
                .with("X_TYPE", product.x())
                .with("Y_TYPE", product.y())
                .with("B_TYPE", product.bias())
                .with("MATRICES", product.matrices())
                .with("GATED", gate == null ? 0 : 1)
                .with("SLOPE", gate == null ? "0.0f" : gate.slope())
                .with("CUBIC", gate == null ? "0.0f" : gate.cubic())
                .with("ROWS", rows)
                .with("WARPS", warps)
                .with("AHEAD", ahead)
                .with(product.wide() ? "OUTPUTS" : "TILES", outputs);
    }
}
