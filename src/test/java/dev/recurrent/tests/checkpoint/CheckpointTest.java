package dev.recurrent.tests.checkpoint;

import static dev.recurrent.tests.checkpoint.Safetensors.entry;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.TensorMemory;
import dev.recurrent.blocks.torch.Torch;
import dev.recurrent.zoo.checkpoint.Checkpoint;
import dev.recurrent.zoo.checkpoint.CheckpointException;
import dev.recurrent.zoo.checkpoint.TensorInfo;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CheckpointTest {

    private static final int BFLOAT16_PATTERNS = 1 << 16;

    @TempDir Path folder;

    private final NDManager manager = NDManager.newBaseManager();

    @AfterEach
    void close() {
        manager.close();
    }

    /** w [4, 3] float32 of 0 to 11. */
    private Path twelve() throws IOException {
        ByteBuffer data = ByteBuffer.allocate(48).order(ByteOrder.LITTLE_ENDIAN);
        for (int i = 0; i < 12; i++) {
            data.putFloat(i);
        }
        String header = "{" + entry("w", "F32", "[4,3]", 0, 48) + "}";
        return Safetensors.write(folder.resolve("twelve"), header, data.array());
    }

    /** Every bfloat16, at an odd place in the file, is the float32 of the same upper bits. */
    @Test
    void bfloat16WidensExactly() throws Exception {
        int bytes = 2 * BFLOAT16_PATTERNS;
        ByteBuffer data =
                ByteBuffer.allocate(1 + bytes).order(ByteOrder.LITTLE_ENDIAN).put((byte) 1);
        for (int i = 0; i < BFLOAT16_PATTERNS; i++) {
            data.putShort((short) i);
        }
        String header =
                "{"
                        + entry("a", "U8", "[1]", 0, 1)
                        + ","
                        + entry("b", "BF16", "[65536]", 1, 1 + bytes)
                        + "}";
        header += " ".repeat(8 - header.length() % 8);
        Path file = Safetensors.write(folder.resolve("bf16"), header, data.array());
        try (Checkpoint checkpoint = Checkpoint.open(file)) {
            assertThat(checkpoint.tensor("b").begin()).isOdd();
            NDArray loaded = checkpoint.load(manager, "b");
            assertThat(loaded.getDataType()).isEqualTo(DataType.FLOAT32);
            ByteBuffer floats = loaded.toByteBuffer();
            for (int i = 0; i < BFLOAT16_PATTERNS; i++) {
                assertThat(floats.getInt(4 * i)).isEqualTo(i << 16);
            }
            NDArray same = empty(ScalarType.BFLOAT16, BFLOAT16_PATTERNS);
            checkpoint.read("b", same);
            ByteBuffer shorts =
                    new com.sun.jna.Pointer(TensorMemory.address(same))
                            .getByteBuffer(0, bytes)
                            .order(ByteOrder.LITTLE_ENDIAN);
            for (int i = 0; i < BFLOAT16_PATTERNS; i++) {
                assertThat(shorts.getShort(2 * i)).isEqualTo((short) i);
            }
        }
    }

    @Test
    void scalarsAndEmptyTensorsPass() throws Exception {
        String header =
                "{"
                        + entry("empty", "F32", "[0,3]", 0, 0)
                        + ","
                        + entry("scalar", "I16", "[]", 0, 2)
                        + ","
                        + entry("end", "BF16", "[2,0]", 2, 2)
                        + "}   ";
        Path file = Safetensors.write(folder.resolve("odd"), header, (byte) 7, (byte) 0);
        try (Checkpoint checkpoint = Checkpoint.open(file)) {
            assertThat(checkpoint.tensors().keySet()).containsExactly("empty", "end", "scalar");
            NDArray scalar = checkpoint.load(manager, "scalar");
            assertThat(scalar.getShape()).isEqualTo(new Shape());
            assertThat(Torch.typeOf(scalar)).isEqualTo(ScalarType.INT16);
            assertThat(Torch.cast(scalar, ScalarType.INT64).getLong()).isEqualTo(7);
            assertThat(checkpoint.load(manager, "empty").getShape()).isEqualTo(new Shape(0, 3));
            assertThat(checkpoint.load(manager, "end").getShape()).isEqualTo(new Shape(2, 0));
            assertThat(checkpoint.metadata()).isEmpty();
            TensorInfo info = checkpoint.tensor("scalar");
            assertThat(info.elements()).isEqualTo(1);
            assertThat(info.bytes()).isEqualTo(2);
        }
    }

    @Test
    void aFileWithoutTensorsPasses() throws Exception {
        try (Checkpoint checkpoint =
                Checkpoint.open(Safetensors.write(folder.resolve("none"), "{}"))) {
            assertThat(checkpoint.tensors()).isEmpty();
        }
    }

    @Test
    void readsRowsIntoPartsOfATensor() throws Exception {
        try (Checkpoint checkpoint = Checkpoint.open(twelve())) {
            NDArray fused = manager.zeros(new Shape(5, 3));
            checkpoint.read("w", 1, 2, fused.get("3:5"));
            checkpoint.read("w", 3, 1, fused.get("0"));
            checkpoint.read("w", 4, 0, fused.get("1:1"));
            assertThat(fused.toFloatArray())
                    .containsExactly(9, 10, 11, 0, 0, 0, 0, 0, 0, 3, 4, 5, 6, 7, 8);
        }
    }

    @Test
    void readsIntoATensorWithGaps() throws Exception {
        try (Checkpoint checkpoint = Checkpoint.open(twelve())) {
            NDArray wide = manager.zeros(new Shape(4, 4));
            checkpoint.read("w", wide.get(":, 1:"));
            assertThat(wide.toFloatArray())
                    .containsExactly(0, 0, 1, 2, 0, 3, 4, 5, 0, 6, 7, 8, 0, 9, 10, 11);
        }
    }

    @Test
    void readsIntoAParameterThatIsTrained() throws Exception {
        try (Checkpoint checkpoint = Checkpoint.open(twelve())) {
            NDArray parameter = manager.zeros(new Shape(4, 1, 3));
            parameter.setRequiresGradient(true);
            checkpoint.read("w", parameter);
            assertThat(parameter.hasGradient()).isTrue();
            assertThat(parameter.sum().getFloat()).isEqualTo(66);
        }
    }

    @Test
    void convertsOnTheWay() throws Exception {
        try (Checkpoint checkpoint = Checkpoint.open(twelve())) {
            for (ScalarType type :
                    new ScalarType[] {
                        ScalarType.FLOAT16, ScalarType.BFLOAT16, ScalarType.FLOAT64
                    }) {
                NDArray target = empty(type, 4, 3);
                checkpoint.read("w", target);
                assertThat(Torch.cast(target, ScalarType.FLOAT32).sum().getFloat()).isEqualTo(66);
            }
        }
    }

    @Test
    void refusesWhatDoesNotFit() throws Exception {
        Path file = twelve();
        try (Checkpoint checkpoint = Checkpoint.open(file)) {
            NDArray target = manager.zeros(new Shape(3, 4));
            assertThatThrownBy(() -> checkpoint.read("w", target))
                    .isInstanceOf(CheckpointException.class)
                    .hasMessage(file + ": tensor 'w': its shape is (4, 3) where (3, 4) is needed");
            assertThatThrownBy(() -> checkpoint.read("v", target))
                    .isInstanceOf(CheckpointException.class)
                    .hasMessage(file + ": tensor 'v': the checkpoint has no such tensor");
            assertThatThrownBy(() -> checkpoint.read("w", 2, 3, target))
                    .isInstanceOf(CheckpointException.class)
                    .hasMessageContaining("rows 2 to 5 were asked for");
            assertThatThrownBy(() -> checkpoint.read("w", -1, 3, target))
                    .isInstanceOf(CheckpointException.class);
            for (ScalarType type : new ScalarType[] {ScalarType.INT64, ScalarType.BOOL}) {
                assertThatThrownBy(() -> checkpoint.read("w", empty(type, 4, 3)))
                        .isInstanceOf(CheckpointException.class)
                        .hasMessageContaining("its type is FLOAT32, which does not convert to");
            }
            assertThat(target.sum().getFloat()).isZero();
        }
    }

    /** A mapped file would kill the process here. */
    @Test
    void refusesAFileThatShrinksWhileOpen() throws Exception {
        Path file = twelve();
        try (Checkpoint checkpoint = Checkpoint.open(file);
                RandomAccessFile shrinking = new RandomAccessFile(file.toFile(), "rw")) {
            shrinking.setLength(shrinking.length() - 8);
            assertThatThrownBy(() -> checkpoint.load(manager, "w"))
                    .isInstanceOf(CheckpointException.class)
                    .hasMessageContaining("truncated after it was opened");
        }
    }

    @Test
    void saysWhatIsNotThere() {
        assertThatThrownBy(() -> Checkpoint.open(folder))
                .isInstanceOf(NoSuchFileException.class)
                .hasMessageContaining("neither model.safetensors nor");
        assertThatThrownBy(() -> Checkpoint.open(folder.resolve("absent")))
                .isInstanceOf(NoSuchFileException.class)
                .hasMessageContaining("absent");
    }

    /** Rows and pieces on both sides of 2 GiB, in a file that takes no room on the disk. */
    @Test
    void readsTensorsBeyondTwoGigabytes() throws Exception {
        long rows = (1L << 21) + 4;
        long bytes = rows * 1024;
        String header = "{" + entry("w", "U8", "[" + rows + ",1024]", 0, bytes) + "}";
        Path file = folder.resolve("large");
        try (RandomAccessFile sparse = new RandomAccessFile(file.toFile(), "rw")) {
            long start = 8L + header.length();
            sparse.setLength(start + bytes);
            sparse.writeLong(Long.reverseBytes(header.length()));
            sparse.write(header.getBytes(StandardCharsets.US_ASCII));
            for (long at : new long[] {(1L << 31) - 1, 1L << 31, bytes - 1}) {
                sparse.seek(start + at);
                sparse.write(1 + (int) (at % 200));
            }
        }
        try (Checkpoint checkpoint = Checkpoint.open(file)) {
            assertThat(checkpoint.tensor("w").elements()).isEqualTo(bytes);
            NDArray target = manager.zeros(new Shape(2, 1024));
            checkpoint.read("w", (1L << 21) - 1, 2, target);
            float[] around = target.toFloatArray();
            assertThat(around[1023]).isEqualTo(1 + (((1L << 31) - 1) % 200));
            assertThat(around[1024]).isEqualTo(1 + ((1L << 31) % 200));
            checkpoint.read("w", rows - 2, 2, target);
            assertThat(target.toFloatArray()[2047]).isEqualTo(1 + ((bytes - 1) % 200));
            assertThat(target.sum().getFloat()).isEqualTo(1 + ((bytes - 1) % 200));
        }
    }

    /** A tensor of several pieces, whose size no piece divides. */
    @Test
    void readsInPieces() throws Exception {
        int elements = 3_000_001;
        ByteBuffer data = ByteBuffer.allocate(4 * elements).order(ByteOrder.LITTLE_ENDIAN);
        for (int i = 0; i < elements; i++) {
            data.putInt(i);
        }
        String header = "{" + entry("w", "I32", "[" + elements + "]", 0, 4L * elements) + "}";
        Path file = Safetensors.write(folder.resolve("pieces"), header, data.array());
        try (Checkpoint checkpoint = Checkpoint.open(file)) {
            long[] read = new long[elements];
            NDArray target = empty(ScalarType.INT64, elements);
            checkpoint.read("w", target);
            target.toByteBuffer().asLongBuffer().get(read);
            for (int i = 0; i < elements; i++) {
                assertThat(read[i]).isEqualTo(i);
            }
        }
    }

    private NDArray empty(ScalarType type, long... shape) {
        return Torch.empty(manager, new Shape(shape), type, Device.cpu());
    }
}
