package dev.recurrent.tests.checkpoint;

import static dev.recurrent.tests.checkpoint.Safetensors.entry;
import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Torch;
import dev.recurrent.tests.support.ForkedJvm;
import dev.recurrent.zoo.checkpoint.Checkpoint;
import dev.recurrent.zoo.checkpoint.CheckpointException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Every element type that safetensors defines is read or refused; none kills the process. */
class DtypesTest {

    /** The bytes of two elements of 1 and 0, or of something where there is no 1. */
    private static final Map<String, byte[]> ONE_ZERO =
            new TreeMap<>(
                    Map.ofEntries(
                            Map.entry("BOOL", new byte[] {1, 0}),
                            Map.entry("U8", new byte[] {1, 0}),
                            Map.entry("I8", new byte[] {1, 0}),
                            Map.entry("I16", new byte[] {1, 0, 0, 0}),
                            Map.entry("U16", new byte[] {1, 0, 0, 0}),
                            Map.entry("I32", new byte[] {1, 0, 0, 0, 0, 0, 0, 0}),
                            Map.entry("U32", new byte[] {1, 0, 0, 0, 0, 0, 0, 0}),
                            Map.entry("I64", first(1, 0, 0, 0, 0, 0, 0, 0)),
                            Map.entry("U64", first(1, 0, 0, 0, 0, 0, 0, 0)),
                            Map.entry("F16", new byte[] {0, 0x3c, 0, 0}),
                            Map.entry("BF16", new byte[] {(byte) 0x80, 0x3f, 0, 0}),
                            Map.entry("F32", first(0, 0, 0x80, 0x3f)),
                            Map.entry("F64", first(0, 0, 0, 0, 0, 0, 0xf0, 0x3f)),
                            Map.entry("C64", first(0, 0, 0x80, 0x3f, 0, 0, 0, 0)),
                            Map.entry("F8_E4M3", new byte[2]),
                            Map.entry("F8_E5M2", new byte[2]),
                            Map.entry("F8_E8M0", new byte[2]),
                            Map.entry("F6_E2M3", new byte[2]),
                            Map.entry("F6_E3M2", new byte[2]),
                            Map.entry("F4", new byte[1])));

    @TempDir Path folder;

    private static byte[] first(int... element) {
        byte[] bytes = new byte[2 * element.length];
        for (int i = 0; i < element.length; i++) {
            bytes[i] = (byte) element[i];
        }
        return bytes;
    }

    @Test
    void noneKillsTheProcess() throws Exception {
        ForkedJvm.Result result =
                ForkedJvm.run(List.of(), LoadEach.class, folder.toAbsolutePath().toString());
        assertThat(result.exit()).as(result.output()).isZero();
        assertThat(result.output().lines().filter(line -> line.startsWith("dtype ")))
                .containsExactly(
                        "dtype BF16: FLOAT32 [1.0, 0.0]",
                        "dtype BOOL: BOOL [1.0, 0.0]",
                        "dtype C64: refused",
                        "dtype F16: FLOAT16 [1.0, 0.0]",
                        "dtype F32: FLOAT32 [1.0, 0.0]",
                        "dtype F4: refused",
                        "dtype F64: FLOAT64 [1.0, 0.0]",
                        "dtype F6_E2M3: refused",
                        "dtype F6_E3M2: refused",
                        "dtype F8_E4M3: refused",
                        "dtype F8_E5M2: refused",
                        "dtype F8_E8M0: refused",
                        "dtype I16: INT16 [1.0, 0.0]",
                        "dtype I32: INT32 [1.0, 0.0]",
                        "dtype I64: INT64 [1.0, 0.0]",
                        "dtype I8: INT8 [1.0, 0.0]",
                        "dtype U16: refused",
                        "dtype U32: refused",
                        "dtype U64: refused",
                        "dtype U8: UINT8 [1.0, 0.0]");
    }

    /** Prints what becomes of each type. */
    static final class LoadEach {

        private LoadEach() {}

        public static void main(String[] arguments) throws Exception {
            try (NDManager manager = NDManager.newBaseManager()) {
                for (Map.Entry<String, byte[]> dtype : ONE_ZERO.entrySet()) {
                    Path file = Path.of(arguments[0], dtype.getKey());
                    byte[] data = dtype.getValue();
                    String header = "{" + entry("w", dtype.getKey(), "[2]", 0, data.length) + "}";
                    Safetensors.write(file, header, data);
                    System.out.println("dtype " + dtype.getKey() + ": " + load(manager, file));
                }
            }
        }

        private static String load(NDManager manager, Path file) throws Exception {
            try (Checkpoint checkpoint = Checkpoint.open(file)) {
                NDArray tensor = checkpoint.load(manager, "w");
                float[] floats = Torch.cast(tensor, ScalarType.FLOAT32).toFloatArray();
                return Torch.typeOf(tensor) + " " + Arrays.toString(floats);
            } catch (CheckpointException e) {
                return e.getMessage().contains("is not supported") ? "refused" : e.getMessage();
            }
        }
    }
}
