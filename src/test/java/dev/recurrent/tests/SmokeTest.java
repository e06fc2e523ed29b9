package dev.recurrent.tests;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.recurrent.blocks.torch.Aten;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Torch;
import dev.recurrent.tests.support.Conformance;
import dev.recurrent.tests.support.Tensors;
import org.junit.jupiter.api.Test;

class SmokeTest {
    @Test
    void engine() {
        try (NDManager m = NDManager.newBaseManager()) {
            NDArray x = Tensors.normal(m, 1, 3, 4);
            Tensors.assertClose("silu", Aten.silu(x), x.mul(ai.djl.nn.Activation.sigmoid(x)), 1e-6);
            NDArray half = Torch.cast(x, ScalarType.BFLOAT16);
            assertThat(Torch.typeOf(half)).isEqualTo(ScalarType.BFLOAT16);
            Tensors.assertClose("bf16", Torch.cast(half, ScalarType.FLOAT32), x, 1e-2);
            assertThat(Conformance.load(m, "ops/delta_rule.safetensors")).containsKey("dht");
            NDArray q = Tensors.normal(m, 2, 1, 2, 5, 8);
            assertThat(Aten.attention(q, q, q, null, true, 0.3).getShape()).isEqualTo(q.getShape());
        }
    }
}
