; VM entry and exit with all general registers (layout: vcpu.hpp).

global vcpu_enter, vcpu_exit

HOST_RSP equ 120
LAUNCHED equ 128

section .text
bits 64

vcpu_enter:
    push rbx
    push rbp
    push r12
    push r13
    push r14
    push r15
    push rdi
    mov [rdi + HOST_RSP], rsp
    cmp qword [rdi + LAUNCHED], 0
    mov rax, [rdi]
    mov rcx, [rdi + 8]
    mov rdx, [rdi + 16]
    mov rbx, [rdi + 24]
    mov rbp, [rdi + 32]
    mov rsi, [rdi + 40]
    mov r8, [rdi + 56]
    mov r9, [rdi + 64]
    mov r10, [rdi + 72]
    mov r11, [rdi + 80]
    mov r12, [rdi + 88]
    mov r13, [rdi + 96]
    mov r14, [rdi + 104]
    mov r15, [rdi + 112]
    mov rdi, [rdi + 48]
    jne .resume
    vmlaunch
    jmp .failed
.resume:
    vmresume
.failed:
    mov eax, 1
    mov ecx, 2
    cmovnc eax, ecx
    add rsp, 8
    jmp vcpu_return

vcpu_exit:
    push rdi
    mov rdi, [rsp + 8]
    mov [rdi], rax
    mov [rdi + 8], rcx
    mov [rdi + 16], rdx
    mov [rdi + 24], rbx
    mov [rdi + 32], rbp
    mov [rdi + 40], rsi
    mov [rdi + 56], r8
    mov [rdi + 64], r9
    mov [rdi + 72], r10
    mov [rdi + 80], r11
    mov [rdi + 88], r12
    mov [rdi + 96], r13
    mov [rdi + 104], r14
    mov [rdi + 112], r15
    pop qword [rdi + 48]
    mov qword [rdi + LAUNCHED], 1
    mov rsp, [rdi + HOST_RSP]
    add rsp, 8
    xor eax, eax
vcpu_return:
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbp
    pop rbx
    ret
