package dev.recurrent.tests.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import dev.recurrent.evaluation.verify.Expected;
import dev.recurrent.evaluation.verify.Verification;
import dev.recurrent.tests.support.Conformance;
import dev.recurrent.zoo.Pretrained;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The checks of {@code recurrent verify} on CUDA tensors; bin/test-cuda runs them. */
@Tag("cuda")
class CudaConformanceTest {

    /** What the conformance cases ask of fp32 logits. */
    private static final double TOLERANCE = 1e-4;

    @BeforeAll
    static void needsAGpu() {
        CudaCase.needDevice();
    }

    @ParameterizedTest
    @MethodSource("dev.recurrent.tests.support.Conformance#models")
    void upstreamModelsPass(String model) throws Exception {
        Path folder = Conformance.path(model);
        try (Pretrained pretrained = Pretrained.load(folder, Device.gpu())) {
            Expected expected = Expected.read(pretrained.manager(), folder.resolve(Expected.FILE));
            assertThat(expected.logits().getDevice().isGpu()).isTrue();
            assertThat(new Verification(pretrained.model(), pretrained.manager(), expected).run())
                    .hasSize(4)
                    .allMatch(check -> check.passes(TOLERANCE), "passes at " + TOLERANCE);
        }
    }
}
