package dev.recurrent.tests.training.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.tests.support.Tensors;
import dev.recurrent.training.checkpoint.OptimizerFile;
import dev.recurrent.training.checkpoint.TrainingState;
import dev.recurrent.zoo.checkpoint.CheckpointException;
import dev.recurrent.zoo.checkpoint.CheckpointWriter;
import dev.recurrent.zoo.checkpoint.TensorSlices;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class TrainingStateTest {

    @TempDir Path folder;

    @Test
    void isReadAsWritten() throws Exception {
        TrainingState state = new TrainingState(TrainingState.FORMAT, 120, 3, 17, 65536, 41);
        state.write(folder);
        assertThat(TrainingState.read(folder)).isEqualTo(state);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{\"format\": 9, \"step\": 1} | it is of format 9; this version reads 1",
                "{\"format\": 1, \"step\": -1} | step is -1; it must be a whole number from 0",
                "{\"format\": 1, \"step\": 1.5} | step is 1.5; it must be a whole number from 0",
                "{\"format\": 1, \"step\": 1e99} | step is 1e99; it must be a whole number",
                "{\"format\": 1, \"step\": 1e99999} | step is 1e99999; it must be a whole number",
                "{\"format\": 1, \"step\": true} | step is true; it must be a whole number",
                "{\"format\": 1, \"step\": 1, \"epoch\": 0} | batch is missing",
                "{\"format\": 1, \"step\": | it is malformed",
                "[1] | it is malformed: not a JSON object",
                "{} | format is missing",
                "'' | it is malformed: not a JSON object"
            })
    void saysWhatIsWrong(String text, String message) throws IOException {
        Files.writeString(folder.resolve("trainer.json"), text);
        assertThatThrownBy(() -> TrainingState.read(folder))
                .isInstanceOf(CheckpointException.class)
                .hasMessageContaining("trainer.json")
                .hasMessageContaining(message);
    }

    @ParameterizedTest
    @ValueSource(strings = {"-1", "1e999", "\"1\"", "NaN", "null"})
    void lossScalesAreFiniteNumbers(String scale) throws IOException {
        new TrainingState(TrainingState.FORMAT, 1, 0, 0, 2.5, 0).write(folder);
        Path file = folder.resolve("trainer.json");
        Files.writeString(file, Files.readString(file).replace("2.5", scale));
        assertThatThrownBy(() -> TrainingState.read(folder))
                .isInstanceOf(CheckpointException.class)
                .hasMessageContaining("lossScale is ")
                .hasMessageContaining("it must be a finite number >= 0");
    }

    @Test
    void tensorsAreReadBitByBit() throws Exception {
        try (NDManager manager = NDManager.newBaseManager()) {
            NDArray a = Tensors.normal(manager, 1, 3, 5);
            float[] special = {-0f, Float.MIN_VALUE, Float.NaN, Float.NEGATIVE_INFINITY, 1e-42f};
            NDArray b = manager.create(special);
            OptimizerFile.write(folder, Map.of("a", a, "b", b));
            NDArray a2 = manager.zeros(a.getShape());
            NDArray b2 = manager.zeros(b.getShape());
            OptimizerFile.read(folder, manager, Map.of("a", a2, "b", b2));
            assertThat(a2.toFloatArray()).isEqualTo(a.toFloatArray());
            assertThat(b2.toByteArray()).isEqualTo(b.toByteArray());
        }
    }

    @Test
    void tensorsOfAnotherModelAreRefusedAllAtOnce() throws Exception {
        try (NDManager manager = NDManager.newBaseManager()) {
            OptimizerFile.write(
                    folder,
                    Map.of(
                            "a",
                            Tensors.normal(manager, 1, 3, 5),
                            "b",
                            Tensors.normal(manager, 2, 7)));
            NDArray a = Tensors.normal(manager, 3, 5, 3);
            float[] before = a.toFloatArray();
            Map<String, NDArray> other = Map.of("a", a, "c", Tensors.normal(manager, 4, 2));
            assertThatThrownBy(() -> OptimizerFile.read(folder, manager, other))
                    .isInstanceOf(CheckpointException.class)
                    .hasMessageContaining("missing [c]")
                    .hasMessageContaining("unexpected [b]")
                    .hasMessageContaining("wrong [a is FLOAT32(3, 5), not FLOAT32(5, 3)]");
            assertThat(a.toFloatArray()).isEqualTo(before);
        }
    }

    /** A conversion would not give back what was written. */
    @Test
    void tensorsOfAnotherTypeAreRefused() throws Exception {
        try (NDManager manager = NDManager.newBaseManager()) {
            NDArray wide = manager.ones(new Shape(3), DataType.FLOAT64);
            assertThatThrownBy(() -> OptimizerFile.write(folder, Map.of("a", wide)))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage("a must be FLOAT32, not FLOAT64");
            new CheckpointWriter(ScalarType.BFLOAT16)
                    .writeFile(
                            folder.resolve("optimizer.safetensors"),
                            Map.of("a", TensorSlices.of(wide)));
            NDArray target = manager.zeros(new Shape(3));
            assertThatThrownBy(() -> OptimizerFile.read(folder, manager, Map.of("a", target)))
                    .isInstanceOf(CheckpointException.class)
                    .hasMessageContaining("wrong [a is BFLOAT16(3), not FLOAT32(3)]");
            assertThat(target.toFloatArray()).containsOnly(0);
        }
    }
}
