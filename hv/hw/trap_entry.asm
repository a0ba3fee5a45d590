; Entries of the 256 interrupt vectors. Each leaves a hw::TrapFrame on the stack (hv/hw/traps.hpp)
; and calls trap_dispatch with its address. SDM vol. 3A, "Exception and Interrupt Handling in 64-bit
; Mode": the CPU aligns the stack to 16 bytes before it pushes, and the frame is 176 bytes.
bits 64

extern trap_dispatch
global trap_entries

section .text.trap progbits alloc exec nowrite align=16

; #DF, #TS, #NP, #SS, #GP, #PF, #AC, #CP push an error code.
%define HAS_ERROR_CODE(v) ((v) == 8 || ((v) >= 10 && (v) <= 14) || (v) == 17 || (v) == 21)

%assign vector 0
%rep 256
trap_entry_%[vector]:
  %if !HAS_ERROR_CODE(vector)
    push 0
  %endif
    push vector
    jmp trap_common
  %assign vector vector + 1
%endrep

trap_common:
    push rax
    push rbx
    push rcx
    push rdx
    push rsi
    push rdi
    push rbp
    push r8
    push r9
    push r10
    push r11
    push r12
    push r13
    push r14
    push r15
    cld
    mov rdi, rsp
    call trap_dispatch
    pop r15
    pop r14
    pop r13
    pop r12
    pop r11
    pop r10
    pop r9
    pop r8
    pop rbp
    pop rdi
    pop rsi
    pop rdx
    pop rcx
    pop rbx
    pop rax
    add rsp, 16
    iretq

section .rodata.trap progbits alloc noexec nowrite align=8
trap_entries:
%assign vector 0
%rep 256
    dq trap_entry_%[vector]
  %assign vector vector + 1
%endrep
