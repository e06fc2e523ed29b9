package dev.recurrent.tests.torch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.recurrent.blocks.torch.Retention;
import dev.recurrent.blocks.torch.TensorScope;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class RetentionTest {

    private NDManager manager;

    @BeforeEach
    void open() {
        manager = NDManager.newBaseManager();
    }

    @AfterEach
    void close() {
        manager.close();
    }

    @Test
    void keepsWhatScopesWouldFree() {
        NDArray x = manager.create(new float[] {1, 2});
        List<NDArray> made = new ArrayList<>();
        try (Retention retention = new Retention();
                TensorScope around = new TensorScope()) {
            Retention.onOwnThread(() -> retention.keeping(() -> work(x, made)));
            NDArray own = around.keep(x.neg());
            assertThat(made).hasSize(3).noneMatch(NDArray::isReleased);
            assertThat(made.get(2).toFloatArray()).containsExactly(1, 16);
            own.close();
        }
        assertThat(made).allMatch(NDArray::isReleased);
        assertThat(x.isReleased()).isFalse();
    }

    private static void work(NDArray x, List<NDArray> made) {
        try (TensorScope scope = new TensorScope()) {
            NDArray square = x.mul(x);
            made.add(square);
            try (TensorScope inner = new TensorScope()) {
                made.add(inner.pass(square.neg()));
            }
            TensorScope.release(square);
            made.add(scope.keep(square.mul(x).mul(x)));
        }
    }

    @Test
    void theThreadsOwnWorkIsFreedAsEver() {
        NDArray[] made = new NDArray[1];
        Retention.onOwnThread(
                () -> {
                    try (TensorScope scope = new TensorScope()) {
                        made[0] = manager.create(1f);
                        scope.adopt(made[0]);
                    }
                });
        assertThat(made[0].isReleased()).isTrue();
    }

    @Test
    void whatTheThreadThrowsIsThrown() {
        assertThatThrownBy(
                        () ->
                                Retention.onOwnThread(
                                        () -> {
                                            throw new IllegalStateException("so");
                                        }))
                .isInstanceOf(IllegalStateException.class)
                .hasMessage("so");
    }
}
