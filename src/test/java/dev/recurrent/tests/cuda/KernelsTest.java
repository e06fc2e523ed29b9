package dev.recurrent.tests.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import ai.djl.Device;
import ai.djl.engine.Engine;
import dev.recurrent.blocks.cuda.CubinCache;
import dev.recurrent.blocks.cuda.CudaException;
import dev.recurrent.blocks.cuda.KernelCompiler;
import dev.recurrent.blocks.cuda.Kernels;
import dev.recurrent.blocks.kernel.Sources;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a machine without CUDA is told. */
class KernelsTest {

    /** One that no other test asks for, since a device speaks once. */
    private static final Device DEVICE = Device.gpu(7);

    private static final Device SILENT = Device.gpu(6);

    private static String errorsOf(Runnable work) {
        PrintStream before = System.err;
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        System.setErr(new PrintStream(bytes, true, StandardCharsets.UTF_8));
        try {
            work.run();
        } finally {
            System.setErr(before);
        }
        return bytes.toString(StandardCharsets.UTF_8);
    }

    private static void assumeNoGpu() {
        assumeTrue(Engine.getEngine("PyTorch").getGpuCount() == 0, "PyTorch sees a GPU");
    }

    @Test
    void aProcessorHasNone() {
        assertThat(errorsOf(() -> assertThat(Kernels.on(Device.cpu())).isEmpty())).isEmpty();
    }

    @Test
    void aDeviceWithoutThemSaysWhyOnce() {
        assumeNoGpu();
        String said =
                errorsOf(
                        () -> {
                            assertThat(Kernels.on(DEVICE)).isEmpty();
                            assertThat(Kernels.on(DEVICE)).isEmpty();
                        });
        assertThat(said)
                .containsOnlyOnce("CUDA kernels are not used on gpu7: ")
                .contains("The portable forms run instead", "-Ddev.recurrent.cuda=off")
                .containsAnyOf("CUDA's driver", "cuInit failed: CUDA_ERROR");
    }

    @Test
    void switchedOffNothingIsTriedOrSaid() {
        assumeNoGpu();
        System.setProperty(Kernels.PROPERTY, "off");
        try {
            assertThat(errorsOf(() -> assertThat(Kernels.on(SILENT)).isEmpty())).isEmpty();
        } finally {
            System.clearProperty(Kernels.PROPERTY);
        }
        String without =
                errorsOf(() -> assertThat(Kernels.without(() -> Kernels.on(SILENT))).isEmpty());
        assertThat(without).isEmpty();
        assertThat(errorsOf(() -> Kernels.on(SILENT))).contains("gpu6");
    }

    @Test
    void aCompilerThatIsMissingOrTooOldSaysSo(@TempDir Path folder) {
        int unborn = 9999;
        assertThatThrownBy(() -> new KernelCompiler(new CubinCache(folder), unborn, "13000"))
                .isInstanceOf(CudaException.class)
                .message()
                .containsAnyOf(
                        "NVRTC, CUDA's run-time compiler, is not to be had beside ",
                        "but not for compute capability 9999");
    }

    @Test
    void aSourceThatIsNotThereIsNamed() {
        assertThatThrownBy(() -> Sources.of("no_such.cu"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("no_such.cu");
    }
}
