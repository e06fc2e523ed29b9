package dev.recurrent.tests.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import dev.recurrent.tests.support.Conformance;
import dev.recurrent.zoo.checkpoint.Checkpoint;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Files that Python's safetensors wrote, beside DJL's own decoder. */
class ConformanceFilesTest {

    @ParameterizedTest
    @MethodSource("dev.recurrent.tests.support.Conformance#models")
    void readsWhatPythonWrote(String model) throws Exception {
        Path folder = Conformance.path(model);
        try (NDManager manager = NDManager.newBaseManager();
                Checkpoint checkpoint = Checkpoint.open(folder);
                InputStream in = Files.newInputStream(folder.resolve(Checkpoint.MODEL_FILE))) {
            NDList expected = NDList.decode(manager, in);
            assertThat(checkpoint.metadata()).containsEntry("format", "pt");
            assertThat(checkpoint.tensors()).hasSameSizeAs(expected);
            for (NDArray tensor : expected) {
                NDArray actual = checkpoint.load(manager, tensor.getName());
                assertThat(actual.getDataType()).isEqualTo(tensor.getDataType());
                assertThat(actual.getShape()).isEqualTo(tensor.getShape());
                assertThat(actual.toByteArray()).isEqualTo(tensor.toByteArray());
            }
        }
    }
}
