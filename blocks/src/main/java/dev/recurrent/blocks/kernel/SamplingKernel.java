package dev.recurrent.blocks.kernel;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.cuda.Constants;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.cuda.CudaException;
import dev.recurrent.blocks.cuda.HostLongs;
import dev.recurrent.blocks.cuda.Kernel;
import dev.recurrent.blocks.cuda.KernelSource;
import dev.recurrent.blocks.torch.TensorMemory;
import dev.recurrent.blocks.torch.TensorScope;
import dev.recurrent.blocks.torch.Torch;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Chooses the next token of every row on the device. Probabilities count in steps of 2⁻⁴² of the
 * greatest, and tokens whose logits lie equally far below the greatest, in fp32, count as equal.
 */
public final class SamplingKernel {

    /** What is told of a row of which a logit is NaN or +∞. */
    public static final long BROKEN = -1;

    /** What is told of a row of which no logit is finite. */
    public static final long NOTHING = -2;

    private static final KernelSource SOURCE = Sources.of("sample.cu", "arrival.cuh");

    private static final int THREADS = 1024;

    /** Longs of what a row is continued by, as the source has it. */
    private static final int SETTING_LONGS = 3;

    /** Longs that a row's blocks share, as the source has it. */
    private static final int PROGRESS_LONGS = 2;

    /** Bytes of logits that a thread looks at at a time. */
    private static final int PACK_BYTES = 16;

    /** Blocks for each multiprocessor: as many as it runs at a time. */
    private static final int BLOCKS_OF_MULTIPROCESSOR = 2;

    private static final Map<String, Constants> CONSTANTS = new ConcurrentHashMap<>();

    private SamplingKernel() {}

    /**
     * How a row is continued.
     *
     * @param temperature what logits are divided by; 0 takes the most probable token
     * @param topK draw among so many tokens; 0 for all
     * @param topP draw among the fewest tokens that have this probability; 1 for all
     * @param repetitionPenalty of tokens that were seen; 1 for none
     * @param seed where the random numbers start, those of {@link java.util.SplittableRandom}
     */
    public record Setting(
            double temperature, int topK, double topP, double repetitionPenalty, long seed) {}

    /**
     * What rows carry from token to token; a row of each tensor for each row.
     *
     * @param settings int64 [B, 3], {@link Setting} as the kernel reads it
     * @param random int64 [B], where the random numbers are
     * @param progress int64 [B, 2], zeros between one choice and the next
     * @param seen uint8 [B, V], 1 for a token that was seen; null where no row has a penalty
     */
    public record State(NDArray settings, NDArray random, NDArray progress, NDArray seen) {

        /**
         * Starts.
         *
         * @param manager owner of the tensors, and the device they lie on
         * @param rows one for each row
         * @param vocabulary V
         * @param texts the tokens seen so far, for each row
         * @return the state
         */
        public static State of(
                NDManager manager, List<Setting> rows, int vocabulary, long[][] texts) {
            long[] settings = new long[rows.size() * SETTING_LONGS];
            boolean penalized = false;
            for (int i = 0; i < rows.size(); i++) {
                Setting row = rows.get(i);
                long temperature = Float.floatToRawIntBits((float) row.temperature());
                settings[i * SETTING_LONGS] = temperature | (long) row.topK() << Integer.SIZE;
                settings[i * SETTING_LONGS + 1] = Double.doubleToRawLongBits(row.topP());
                settings[i * SETTING_LONGS + 2] =
                        Double.doubleToRawLongBits(row.repetitionPenalty());
                penalized |= row.repetitionPenalty() != 1;
            }
            long[] seeds = rows.stream().mapToLong(Setting::seed).toArray();
            return new State(
                    manager.create(settings, new Shape(rows.size(), SETTING_LONGS)),
                    manager.create(seeds),
                    manager.zeros(new Shape(rows.size(), PROGRESS_LONGS), DataType.INT64),
                    penalized ? seen(manager, vocabulary, texts) : null);
        }

        private static NDArray seen(NDManager manager, int vocabulary, long[][] texts) {
            byte[] seen = new byte[texts.length * vocabulary];
            for (int row = 0; row < texts.length; row++) {
                for (long id : texts[row]) {
                    seen[row * vocabulary + Math.toIntExact(id)] = 1;
                }
            }
            Shape shape = new Shape(texts.length, vocabulary);
            return manager.create(ByteBuffer.wrap(seen), shape, DataType.UINT8);
        }

        /** Returns a state of some rows; rows is int64 [B']. */
        public State select(NDArray rows) {
            return new State(
                    settings.get(rows),
                    random.get(rows),
                    progress.get(rows),
                    seen == null ? null : seen.get(rows));
        }

        /** Returns all tensors. */
        public NDList arrays() {
            NDList arrays = new NDList(settings, random, progress);
            if (seen != null) {
                arrays.add(seen);
            }
            return arrays;
        }
    }

    /**
     * Chooses.
     *
     * @param device where the tensors lie
     * @param logits [B, V] or [B, 1, V]
     * @param state of the same rows, changed in place
     * @param tokens int64, B elements: gets the tokens, 0 where none can be chosen
     * @param told the host's memory: gets the tokens too, {@link #BROKEN} or {@link #NOTHING} where
     *     none can be chosen
     * @throws IllegalArgumentException if the tensors lie on several devices
     * @throws CudaException if the kernel cannot be compiled or launched
     */
    public static void apply(
            CudaDevice device, NDArray logits, State state, NDArray tokens, HostLongs told) {
        Operand.requireSameDevice(logits, state.settings(), tokens);
        NDArray x = Operand.readable(logits.getManager(), logits);
        int rows = Math.toIntExact(state.random().size());
        Constants constants =
                CONSTANTS.computeIfAbsent(
                        Operand.type(x), type -> Constants.none().with("X_TYPE", type));
        device.kernel(SOURCE, constants, "sample")
                .launch(
                        new Kernel.Size(blocks(device, x, rows), rows, THREADS, 1),
                        TensorMemory.address(x),
                        TensorMemory.address(state.settings()),
                        Operand.address(state.seen()),
                        TensorMemory.address(state.random()),
                        TensorMemory.address(state.progress()),
                        TensorMemory.address(tokens),
                        told.address(),
                        x.size() / rows);
        if (x != logits) {
            TensorScope.release(x);
        }
    }

    /** Blocks of a row: a load for each thread where there is room for so many. */
    private static int blocks(CudaDevice device, NDArray logits, int rows) {
        long threads = logits.size() / rows * Torch.typeOf(logits).bytes() / PACK_BYTES;
        long wanted = (threads + THREADS - 1) / THREADS;
        int room = BLOCKS_OF_MULTIPROCESSOR * device.multiprocessors() / rows;
        return (int) Math.max(1, Math.min(room, wanted));
    }
}
