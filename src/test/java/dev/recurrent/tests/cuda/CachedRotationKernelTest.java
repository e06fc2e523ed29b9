package dev.recurrent.tests.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.Kernels;
import dev.recurrent.blocks.kernel.CachedRotationKernel;
import dev.recurrent.blocks.kernel.CachedRotationKernel.Cache;
import dev.recurrent.blocks.rule.Positions;
import dev.recurrent.blocks.rule.RotaryEmbedding;
import dev.recurrent.blocks.torch.Aten;
import dev.recurrent.blocks.torch.GradientMode;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Torch;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** One launch beside the rotation by itself and what a cache is said to hold, to the bit. */
@Tag("cuda")
class CachedRotationKernelTest {

    private static final double THETA = 10_000;
    private static final int SLOTS = 9;

    /** Padding, a start, slots in use, a window gone round, one too far for a cache without. */
    private static final long[] POSITIONS = {-1, 0, 7, 3, 8, 30_000};

    private static final int B = POSITIONS.length;
    private static final float BEFORE = 9;

    private CudaCase cuda;
    private CudaDevice device;

    @BeforeEach
    void open() {
        cuda = new CudaCase();
        device = Kernels.on(cuda.manager.getDevice()).orElseThrow();
    }

    @AfterEach
    void close() {
        if (cuda != null) {
            cuda.close();
        }
    }

    /** A type of queries, keys and values, one of the cache; whole, partial and no rotation. */
    @ParameterizedTest
    @CsvSource({
        "BFLOAT16, BFLOAT16, 10, 10, 256, 256, 256, 8",
        "BFLOAT16, BFLOAT16, 8, 2, 128, 128, 32, 0",
        "FLOAT32, FLOAT32, 3, 1, 10, 6, 6, 8",
        "FLOAT32, BFLOAT16, 4, 4, 600, 25, 2, 0",
        "BFLOAT16, FLOAT32, 6, 2, 64, 64, 64, 8",
        "BFLOAT16, BFLOAT16, 6, 2, 64, 64, 0, 8"
    })
    void rotatesAndWrites(
            ScalarType type,
            ScalarType cacheType,
            int heads,
            int groups,
            int keyDim,
            int valueDim,
            int rotaryDim,
            int window) {
        Positions positions = Positions.of(cuda.manager, B, 1, POSITIONS);
        NDArray q = part(type, 1, heads, keyDim);
        NDArray k = part(type, 2, groups, keyDim);
        NDArray v = part(type, 3, groups, valueDim);
        Cache cache =
                new Cache(
                        full(cacheType, groups, keyDim),
                        full(cacheType, groups, valueDim),
                        cuda.manager.full(new Shape(B, SLOTS), 5f).toType(DataType.INT64, false),
                        window);
        cuda.poison(q.size(), q.size() / 2);
        NDArray turned =
                CachedRotationKernel.apply(
                        device, q, k, v, positions.array(), rotaryDim, THETA, cache);
        assertThat(Torch.typeOf(turned)).isEqualTo(type);
        assertThat(floats(turned)).isEqualTo(floats(rotated(q, positions, rotaryDim)));
        NDArray keys = Torch.cast(rotated(k, positions, rotaryDim), cacheType);
        assertThat(floats(cache.keys())).isEqualTo(written(keys, groups, keyDim, window));
        NDArray values = Torch.cast(v, cacheType);
        assertThat(floats(cache.values())).isEqualTo(written(values, groups, valueDim, window));
        assertThat(cache.held().toLongArray()).isEqualTo(held(window));
    }

    /** Heads of one token, inside of wider rows. */
    private NDArray part(ScalarType type, long seed, int heads, int dim) {
        int size = heads * dim;
        NDArray wide = cuda.normal(type, seed, B, 1, size + 24);
        return Aten.narrow(wide, 2, 16, size).reshape(B, 1, heads, dim);
    }

    private NDArray full(ScalarType type, int groups, int dim) {
        return Torch.cast(cuda.manager.full(new Shape(B, groups, SLOTS, dim), BEFORE), type);
    }

    private static NDArray rotated(NDArray x, Positions positions, int rotaryDim) {
        return GradientMode.off(() -> RotaryEmbedding.apply(x, positions, rotaryDim, THETA));
    }

    private static float[] floats(NDArray x) {
        return Aten.contiguous(Torch.cast(x, ScalarType.FLOAT32)).toFloatArray();
    }

    private static long slot(long position, int window) {
        return position < 0 ? 0 : 1 + (window > 0 ? position % window : position);
    }

    private static float[] written(NDArray x, int groups, int dim, int window) {
        float[] tokens = floats(x);
        float[] cache = new float[B * groups * SLOTS * dim];
        Arrays.fill(cache, BEFORE);
        for (int row = 0; row < B; row++) {
            long slot = slot(POSITIONS[row], window);
            for (int group = row * groups; slot < SLOTS && group < (row + 1) * groups; group++) {
                int to = (group * SLOTS + (int) slot) * dim;
                System.arraycopy(tokens, group * dim, cache, to, dim);
            }
        }
        return cache;
    }

    private static long[] held(int window) {
        long[] held = new long[B * SLOTS];
        for (int row = 0; row < B; row++) {
            long position = POSITIONS[row];
            Arrays.fill(held, row * SLOTS, (row + 1) * SLOTS, position == 0 ? -1 : 5);
            long slot = slot(position, window);
            if (slot < SLOTS) {
                held[row * SLOTS + (int) slot] = position;
            }
        }
        return held;
    }
}
