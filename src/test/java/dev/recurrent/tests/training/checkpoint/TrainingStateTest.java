package dev.recurrent.tests.training.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.recurrent.tests.support.Tensors;
import dev.recurrent.training.checkpoint.OptimizerFile;
import dev.recurrent.training.checkpoint.TrainingState;
import dev.recurrent.zoo.checkpoint.CheckpointException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

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
                "{\"format\": 9, \"step\": 1} | is of format 9; this version reads 1",
                "{\"format\": 1, \"step\": -1} | step, epoch and batch must be >= 0",
                "{\"format\": 1, \"step\": | is malformed",
                "'' | is of format none"
            })
    void saysWhatIsWrong(String text, String message) throws IOException {
        Files.writeString(folder.resolve("trainer.json"), text);
        assertThatThrownBy(() -> TrainingState.read(folder))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("trainer.json")
                .hasMessageContaining(message);
    }

    @Test
    void tensorsAreReadBitByBit() throws Exception {
        try (NDManager manager = NDManager.newBaseManager()) {
            NDArray a = Tensors.normal(manager, 1, 3, 5);
            NDArray b = Tensors.normal(manager, 2, 7);
            OptimizerFile.write(folder, Map.of("a", a, "b", b));
            NDArray a2 = manager.zeros(a.getShape());
            NDArray b2 = manager.zeros(b.getShape());
            OptimizerFile.read(folder, manager, Map.of("a", a2, "b", b2));
            assertThat(a2.toFloatArray()).isEqualTo(a.toFloatArray());
            assertThat(b2.toFloatArray()).isEqualTo(b.toFloatArray());
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
                    .hasMessageContaining("of other shapes [a]");
            assertThat(a.toFloatArray()).isEqualTo(before);
        }
    }
}
